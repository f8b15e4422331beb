"""A handler as one writes it for Apache's generated classes: it knows those and nothing of this server."""

from shop import ttypes as shop
from shop.Shop import Iface
from thrift.Thrift import TApplicationException


class OutOfPaper(shop.Closed):
    """Apache lets a subclass pass for what is declared."""


class Shop(Iface):
    def order(self, items, payment):
        if payment.card is None and payment.cash == 0:
            raise shop.Closed()
        for item in items:
            if item.name == "unicorn":
                raise shop.OutOfStock(name=item.name, instead=[shop.Item(name="pony", price=9.5), item])
        paid = shop.Payment(card="****") if payment.card else payment
        order = shop.Order(id=1 << 40, items=list(items), labels={"new", "größer"}, state=shop.State.PAID, payment=paid)
        order.by_name = {item.name: shop.Item(name=item.name, count=item.count) for item in items}
        order.receipt = b"\x00\xff"
        return order

    def shelves(self):
        return {0: [], 7: [shop.Item(name="pen"), shop.Item(name="ink", count=0, price=0.0)]}

    def count(self, order):
        assert order.state == shop.State.OPEN
        return sum(item.count for item in order.items)

    def explode(self, how):
        if how == "subclass":
            raise OutOfPaper()
        if how == "application":
            raise TApplicationException(TApplicationException.PROTOCOL_ERROR, "said so")
        raise shop.OutOfStock(name="declared, but not for this method")
