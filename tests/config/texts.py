"""Sound files to spoil."""

VENUE = """\
venue: example
name: Example
connector: binance
status: active
endpoints:
  stream: wss://stream.example.org/ws
  feed: ws://feed.example.org:8443/feed
  rest: https://api.example.org/v1
book_channel: depth@100ms
fees:
  maker: 0.0008
  taker: "0.001"
listings:
  - symbol: BTCUSDT
    instrument: BTC/USDT
    tick: 0.01
    lot: "0.00001"
    minimum_quantity: 1e-5
    minimum_notional: 10
  - {symbol: ETHUSDT, instrument: ETH/USDT, tick: 0.01, maximum_quantity: 5, cap_notional: 250000, fixed_cost: 0.5}
market_list:
  quotes: [USDT, USDC]
  bases: [SOL, XRP]
  except: [SOLUSDC]
secrets:
  key: EXAMPLE_API_KEY
  secret: EXAMPLE_API_SECRET
  passphrase: EXAMPLE_PASSPHRASE
freshness:
  silent: 500ms
  behind: 2m
  frozen: off
display: false
route: true
limits:
  connections_per_5m: 300
  messages_per_second: 5
  weight_per_minute: 6000
  snapshot_weight_per_minute: 3000
  subscriptions_per_connection: 1024
rules_every: 30m
"""

DEFUNCT = """\
venue: gone
name: Gone
connector: ftx
status: defunct
defunct: {since: 2022-11-11, reason: It filed for bankruptcy.}
fees: {maker: 0, taker: 0}
market_list: {quotes: any}
endpoints: {private: wss://private.example.org/ws}
"""

SETTINGS = """\
venues:
  - venues/
listen:
  host: 0.0.0.0
  port: 9000
  behind_proxy: true
  anonymous: [read]
display_rate_per_second: 25
instruments:
  BTC/USDT: {price_decimals: 8, quantity_decimals: 10}
journal: journal.db
keys: keys.yaml
risk:
  "*":
    order_notional: {USDT: 50000, KRW: "7e7"}
    open_notional: {USDT: 100000.5}
    venue_open_notional: {USDT: 0}
    orders_per_second: 5
    collar_bps: 250
  desk: {collar_bps: 500}
routing: {certified: false,
  market_bound_bps: 50,
  search_limit: 3000}
listings: listings.yaml
rates:
  - {source: official, base: USD, quote: KRW, value: 1390.5, as_of: 2026-11-20, max_age: 96h}
  - {source: fixed, base: USDT, quote: USD, value: 1}
  - {source: market, base: USDT, quote: KRW, venue: example, max_age: 10s, reference: 1390, depeg_bps: 300}
  - {source: local, base: USDC, quote: KRW, venue: busan, max_age: 2m}
seed: 7
log:
  level: debug
  format: json
added: more/
records: {folder: records/, depth_every: 2s, depth_levels: 10, tables_kept: 8760h, traffic: true, traffic_every: 10m,
  traffic_kept: 24h}
"""

LISTINGS = """\
tick_tables:
  krw:
    - {tick: 0.1}
    - {from: 100, tick: 1}
    - {from: 1e6, tick: 1000}
  plain:
    - {from: 0, tick: 0.01}
listings:
  - instrument: BTC/KRW
    ticks: krw
    lot: 1e-8
    minimum_quantity: 0.00001
    maximum_quantity: 100
    minimum_notional: 5000
    reference_price: 85714000
    price_band_bps: 3000
    market_bound_bps: 100
    fees: {maker: 0.0004, taker: 0.0005}
    self_trade: decrement
    state: pre_open
    display: [example, gone]
    route: [example]
  - instrument: USDC/KRW
    ticks: plain
    lot: 0.01
    reference_price: 1390
    price_band_bps: 500
    market_bound_bps: 50
    fees: {maker: 0, taker: 0}
    hours: {pre_open: "08:30", open: "09:00", close: "23:30"}
"""

KEY_FILE = """\
api_keys:
  - key: desk-1
    secret: the-desk-1-secret-is-not-known-to-others
    account: desk
    scopes: [read, trade]
  - {key: risk, secret: the-risk-secret-is-not-known-to-others, account: house, scopes: [read, admin]}
  - key: tight
    secret: the-tight-secret-is-not-known-to-others
    account: fund
    scopes: [trade]
    requests_per_second: 5
    order_notional: {USDT: 1000.5}
    addresses: [203.0.113.7, "2001:db8::/32"]
"""


def spoiled(text: str, *changes: tuple[str, str]) -> bytes:
    """The text with each first of a pair, which occurs once, replaced by its second."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text.encode()
