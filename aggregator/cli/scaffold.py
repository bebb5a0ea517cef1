"""The file of a new venue, with comments, in which its writer fills in the blanks."""

from __future__ import annotations

from aggregator.config.templates import BLANK

DECLARATIVE = "declarative"

_VENUE = """\
# {name}: fill in every blank, then run `aggregator config check {file}`.
# docs/ADD_A_VENUE.md goes through it key by key.
venue: {name}
name: ___ # as people see it
connector: {connector}

endpoints:
  stream: wss://___ # public market data
  rest: https://___ # the root of the HTTP interface; without a path, if the paths below begin with it
{private}
# Ratios: 0.1 % is 0.001. Your own tier: the router compares venues after fees.
fees: {{maker: ___, taker: ___}}

# Symbols in the venue's own spelling. Leave out a rule that the venue does not state.
listings:
  - {{symbol: ___, instrument: ___, tick: ___, lot: ___, minimum_quantity: ___, minimum_notional: ___}}

{secrets}# When a book is no longer believed: no message, the venue's own time behind ours, no level changed.
freshness: {{silent: 10s, behind: 10s, frozen: 60s}}

display: true
route: false

# What the venue allows to one address; remove what it does not limit.
limits:
  connections_per_5m: ___
  messages_per_second: ___
  weight_per_minute: ___
"""

_PRIVATE = "  private: wss://___ # the account's own stream; remove it if you only watch\n"

_SECRETS = """\
# Names of environment variables, never the secrets. Not needed to watch.
secrets: {{key: {upper}_API_KEY, secret: {upper}_API_SECRET}}

"""

_DECLARED = """
declared:
  symbols: {spelling: ___} # such as <base>_<quote>; with `case: lower` for small letters

  # What keeps a connection open, if the venue wants more than the websocket protocol's own pings:
  # keepalive: {text: PING, every: 20s}
  # compression: gzip

  # JSON in single quotes. <each> stands for all symbols, each written as `each` says, with commas between.
  subscribe:
    - message: ___
      each: '"<symbol>"'

  # range: changes state the first and last id that they cover. previous: they state the id of the one before.
  # pictures: every message is the whole book. none: changes have no ids.
  numbering: ___

  # `stream: true` when the whole book comes by itself; `rest` when it is fetched; `nowhere` when there is none.
  snapshot: {stream: true}

  # Kinds of messages, told apart by what stands where; the first that fits is taken. Paths have points: data.0.price
  messages:
    - when: {___: ___}
      symbol: ___
      book:
        holds: whole
        last: ___ # the id, or leave it out for `pictures` that are ordered by their time
        time: {at: ___, unit: ms}
        sides: {bids: ___, asks: ___}
    # A kind that holds changes:
    # - when: {type: update}
    #   symbol: symbol
    #   book:
    #     holds: changes
    #     first: first
    #     last: last
    #     sides: {bids: bids, asks: asks}
    # An acknowledgement, a refusal, a ping that wants an answer, and what is of no use:
    # - {when: {result: ok}, acknowledged: request <id>}
    # - {has: [error.code], refused: "<error.code>: <error.message>"}
    # - {has: [ping], reply: '{"pong":<ping>}'}
    # - {when: {type: welcome}, ignored: true}
"""


def scaffold(name: str, connector: str, file: str) -> str:
    """The text of a venue's file. What the connector knows by itself is not asked for."""
    is_declared = connector == DECLARATIVE
    text = _VENUE.format(
        name=name,
        connector=connector,
        file=file,
        private="" if is_declared else _PRIVATE,
        secrets="" if is_declared else _SECRETS.format(upper=name.upper()),
    )
    return text + _DECLARED if is_declared else text


def blanks_in(text: str) -> int:
    return text.count(BLANK)
