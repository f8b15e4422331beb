"""Prints what it gets of the shop, so that two runs can be compared: ``python main.py PORT DEAD_PORT``."""

import socket
import sys

from connections import by_hand, context, named, over_http, plain, shop_thrift, till
from thriftpy2.thrift import TApplicationException, TException
from thriftpy2.transport import TTransportException

port, dead = map(int, sys.argv[1:])


def show(item):
    kind = shop_thrift.Kind._VALUES_TO_NAMES.get(item.kind)
    return (item.name, item.count, kind, item.price and item.price.cents, item.tags)


def errors():
    with context(port) as client:
        try:
            client.price("unicorn")
        except shop_thrift.OutOfStock as error:
            print("out of stock:", error.name, error.wanted)
        try:
            client.price("sunday")
        except TException as error:
            print("declared:", type(error).__name__)
        try:
            client.restock({})
        except (shop_thrift.OutOfStock, shop_thrift.Closed) as error:
            print("closed:", type(error).__name__)
        try:
            client.crash()
        except TApplicationException as error:
            print("no result:", error.type == TApplicationException.INTERNAL_ERROR, error.message.split(",")[0])
        try:
            client.reserve(shop_thrift.Item(name="pen", count="many"))
        except Exception:
            print("does not fit")
    try:
        plain(dead)
    except TTransportException as error:
        print("nobody there:", error.type == TTransportException.NOT_OPEN)
    with context(port, socket_timeout=200) as client:
        try:
            client.slow(2_000)
        except TTransportException:
            print("this is what Apache's library raises")
        except socket.timeout as error:
            print("too slow:", isinstance(error, OSError))
    client = plain(port)
    try:
        client.leave()
    except (TTransportException, ConnectionError):
        print("the server has left")
    finally:
        client.close()


def calls(client):
    item = shop_thrift.Item(name="ink", kind=shop_thrift.Kind.INK)
    item.price = shop_thrift.money.Price(cents=250)
    print(client.version(), show(client.reserve(item, 5)), show(client.reserve(item=item, days=2)))
    print({name: show(each) for name, each in client.stock().items()}, shop_thrift.MOST)
    print([shop_thrift.Kind._VALUES_TO_NAMES[kind] for kind in client.kinds()])
    print(client.restock({shop_thrift.Kind.PEN: 3, shop_thrift.Kind.INK: 0}))
    price = client.price("pencil")
    print(price.cents, price.currency, price == shop_thrift.money.Price(cents=600))
    before = client.visits()
    client.visited("/pens")
    print(client.visits() - before)


client = plain(port)
calls(client)
client.close()
for transport in ("buffered", "framed"):
    for protocol in ("binary", "compact"):
        client = named(port, protocol, transport)
        print(transport, protocol, client.slow(1))
        calls(client)
        client.close()
with context(port, timeout=3_000) as client:
    calls(client)
with by_hand(port) as client:
    calls(client)
with over_http(port) as client:
    print(client.version(), client.price("pencil").cents, client.tenant())
client = till(port)
print(client.sum([1, 2, 3]))
client.close()
errors()
