"""Prints what it gets of the shop, so that two runs can be compared: ``python main.py PORT DEAD_PORT``."""

import sys

from connections import PROTOCOLS, Connection, over_http, two_services
from money.ttypes import Price
from shop import ttypes
from shop.constants import MOST
from shop.Shop import Client
from shop.ttypes import *
from shop.ttypes import Closed, Item, Kind, OutOfStock
from thrift import Thrift
from thrift.protocol.TProtocol import TProtocolException
from thrift.Thrift import TApplicationException, TException
from thrift.transport.TTransport import TTransportException

port, dead = map(int, sys.argv[1:])


def show(item):
    return (item.name, item.count, Kind._VALUES_TO_NAMES.get(item.kind), item.price and item.price.cents, item.tags)


def calls(client):
    item = Item(name="ink", kind=Kind.INK)
    item.price = Price(cents=250)
    print(client.version(), show(client.reserve(item, 5)), show(client.reserve(item=item, days=2)))
    print({name: show(each) for name, each in client.stock().items()}, MOST)
    print([Kind._VALUES_TO_NAMES[kind] for kind in client.kinds()], Kind._NAMES_TO_VALUES["INK"])
    print(client.restock({Kind.PEN: 3, Kind.INK: 0}))
    price = client.price("pencil")
    print(price.cents, price.currency, price == Price(cents=600))
    before = client.visits()
    client.visited("/pens")
    print(client.visits() - before)


def errors():
    with Connection(port) as client:
        try:
            client.price("unicorn")
        except OutOfStock as error:
            print("out of stock:", error.name, error.wanted)
        try:
            client.price("sunday")
        except Thrift.TException as error:
            print("declared:", type(error).__name__)
        try:
            client.restock({})
        except (ttypes.OutOfStock, Closed) as error:
            print("closed:", type(error).__name__)
        try:
            client.crash()
        except TApplicationException as error:
            print("no result:", error.type == TApplicationException.INTERNAL_ERROR, error.message.split(",")[0])
    try:
        with Connection(dead):
            pass
    except TTransportException as error:
        print("nobody there:", error.type == TTransportException.NOT_OPEN)
    with Connection(port, timeout=200) as client:
        try:
            client.slow(2_000)
        except TTransportException as error:
            print("too slow:", error.type == TTransportException.TIMED_OUT)
    closed = Connection(port)
    try:
        Client(closed.protocol).version()
    except TException as error:
        print("not open:", type(error).__name__, error.type == TTransportException.NOT_OPEN)
    closed.transport.open()
    try:
        closed.transport.open()
    except TTransportException as error:
        print("open twice:", error.type == TTransportException.ALREADY_OPEN)
    closed.transport.close()
    try:
        with Connection(port) as client:
            client.leave()
    except TTransportException:
        print("the server has left")


for framed in (False, True):
    for protocol in PROTOCOLS:
        with Connection(port, protocol, framed, early=protocol.startswith("c")) as client:
            print(framed, protocol)
            calls(client)
transport, shop = over_http(port)
print(shop.version(), shop.price("pencil").cents, shop.tenant())
transport.close()
transport, shop, till = two_services(port)
print(shop.version(), till.sum([1, 2, 3]), shop.version(), issubclass(TProtocolException, TException))
transport.close()
print(transport.isOpen())
errors()
