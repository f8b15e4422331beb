"""An Apache handler that tests what it gets with its own classes: it knows nothing of this server."""

from depot import ttypes as depot
from depot.Depot import Iface
from goods import ttypes as goods


class Depot(Iface):
    def carry(self, load):
        load.validate()
        return load

    def look(self, load, item, way, complaint):
        assert isinstance(load, depot.Load)
        assert isinstance(item, goods.Item)
        assert isinstance(way, depot.Way)
        assert isinstance(complaint, depot.Complaint)
        for each in (load, item, way, complaint):
            each.validate()
        return f"{way.road} {way.rail} {item.name} {complaint.why}"

    def each(self, items, fallback):
        if not items:
            raise depot.Complaint(why="nothing", about=fallback)
        assert all(isinstance(item, goods.Item) for item in items)
        return items
