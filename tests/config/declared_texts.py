"""Sound declarations to spoil: between them they use every key."""

DECLARED = """\
venue: told
name: Told
connector: declarative
endpoints: {stream: wss://stream.example.org/ws, rest: https://api.example.org}
fees: {maker: 0.001, taker: 0.001}
listings:
  - {symbol: BTC-USDT, instrument: BTC/USDT}
market_list: {quotes: [USDT]}
declared:
  symbols: {spelling: <base>-<quote>, case: upper}
  compression: gzip
  connection: {silence: 30s, life: 24h}
  keepalive: {text: '{"ping":<time_ms>}', every: 20s}
  subscribe:
    - {message: '{"op":"sub","args":[<each>],"id":<id>}', each: '"book.<symbol>"', at_most: 50}
    - {message: '{"op":"sub","args":["trade.<symbol>"]}'}
  unsubscribe:
    - {message: '{"op":"unsub","args":["book.<symbol>"]}'}
  replaces: false
  numbering: range
  snapshot:
    rest:
      path: /depth?symbol=<symbol:lower>&limit=100
      weight: 5
      last: id
      sides: {bids: bids, asks: asks, columns: 3}
      after: 2s
  messages:
    - when: {type: book, full: true}
      symbol: symbol
      book:
        holds: whole
        last: id
        time: {at: time, unit: ms}
        rows: {at: rows, side: side, buy: bid, sell: ask, price: price, quantity: quantity}
    - when: {type: book}
      symbol: data.symbol
      book:
        holds: changes
        first: data.first
        last: data.last
        time: {at: data.time, unit: iso}
        sides: {bids: data.bids, asks: data.asks, columns: 2, may_be_absent: true}
        covers: 50
    - when: {type: pairs}
      book:
        holds: changes
        first: first
        last: last
        rows: {at: rows, side: side, buy: bid, sell: ask, price: price, quantity: quantity, symbol: symbol}
    - when: {type: trade}
      symbol: symbol
      trades:
        rows: rows
        id: id
        price: price
        quantity: quantity
        time: {at: time, unit: s}
        taker: {at: side, buy: BUY, sell: SELL}
        history: true
    - has: [best.bid, best.ask]
      symbol: symbol
      best:
        bid_price: best.bid.0
        bid_quantity: best.bid.1
        ask_price: best.ask.0
        ask_quantity: best.ask.1
        last: id
        time: {at: time, unit: us}
    - {has: [ping], reply: '{"pong":<ping>}'}
    - {when: {ok: true}, acknowledged: request <id>}
    - {has: [error], refused: "<error.code>: <error.text>"}
    - {has: [notice], ignored: true}
  markets:
    path: /markets
    weight: 10
    rows: data
    symbol: id
    base: base
    quote: quote
    tick: tick
    lot_decimals: decimals
    minimum_quantity: least
    minimum_notional: least_value
    tradable: {status: open}
"""

PICTURES = """\
venue: seen
name: Seen
connector: declarative
endpoints: {stream: wss://stream.example.org/ws, rest: https://api.example.org}
fees: {maker: 0.001, taker: 0.001}
listings:
  - {symbol: usdt_btc, instrument: BTC/USDT}
declared:
  symbols: {spelling: <quote>_<base>, case: lower}
  subscribe:
    - {message: '{"books":[<each>]}', each: '"<symbol>"'}
  replaces: true
  numbering: pictures
  snapshot: {stream: true}
  messages:
    - when: {kind: book}
      symbol: code
      book:
        holds: whole
        last: id
        pairs: {at: units, bid_price: bp, bid_quantity: bq, ask_price: ap, ask_quantity: aq}
  markets: {path: /markets, symbol: id, tick_decimals: prices, lot: step}
"""

CHAINED = """\
venue: linked
name: Linked
connector: declarative
endpoints: {stream: wss://stream.example.org/ws}
fees: {maker: 0.001, taker: 0.001}
listings:
  - {symbol: BTC/USDT, instrument: BTC/USDT}
declared:
  symbols: {spelling: <base>/<quote>}
  subscribe:
    - {message: '{"sub":"<symbol>"}'}
  numbering: previous
  snapshot: {nowhere: The venue sends changes only.}
  messages:
    - when: {kind: 2}
      symbol: code
      book:
        holds: changes
        previous: previous
        last: id
        sides: {bids: b, asks: a}
"""
