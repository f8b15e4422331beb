"""A thriftpy2 handler that tests what it gets with its own classes: it knows nothing of this server."""

from pathlib import Path

import thriftpy2

depot = thriftpy2.load(str(Path(__file__).with_name("depot.thrift")), module_name="depot_thrift")
goods = depot.goods


class Depot:
    def carry(self, load):
        return load

    def look(self, load, item, way, complaint):
        assert isinstance(load, depot.Load)
        assert isinstance(item, goods.Item)
        assert isinstance(way, depot.Way)
        assert isinstance(complaint, depot.Complaint)
        return f"{way.road} {way.rail} {item.name} {complaint.why}"

    def each(self, items, fallback):
        if not items:
            raise depot.Complaint(why="nothing", about=fallback)
        assert all(isinstance(item, goods.Item) for item in items)
        return items
