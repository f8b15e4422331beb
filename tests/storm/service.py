"""The service that the storm runs against, as text: it notes what it was told in a file, one write for each oneway."""

IDL = """
exception Declared { 1: i64 id }
service Storm {
  string echo(1: i64 id, 2: i32 wait_us, 3: i32 how, 4: string data) throws (1: Declared declared)
  oneway void note(1: i64 id, 2: i32 wait_us, 3: i32 how)
  list<i32> lie(1: i64 id)
}
"""

HANDLER = '''
import os, time
import thriftserver

api = thriftserver.load("storm.thrift")


class Mute(Exception):
    """Cannot be put into words."""

    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


class Liar(list):
    """Says that it holds more than it does, and changes while it is looked at."""

    def __len__(self):
        return 1_000_000

    def __iter__(self):
        self.append(len(self[:3]))
        time.sleep(0)
        return super().__iter__()


class Litter:
    """Now and then waits in its finalizer, wherever the collector happens to run.

    Seldom: one collection runs all finalizers one after the other, and whoever made the last object waits for them all.
    """

    made = 0

    def __init__(self):
        self.me = self
        Litter.made += 1
        self.waits = Litter.made % 50 == 0

    def __del__(self):
        if self.waits:
            time.sleep(0.0005)


def fail(id, how):
    if how == 1:
        raise api.Declared(id)
    if how == 2:
        raise RuntimeError(f"undeclared {id}")
    if how == 3:
        raise Mute()
    if how == 4:
        raise SystemExit(id % 100)


class Storm:
    def __init__(self):
        self.notes = os.open("notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)  # once: connections may take all others

    def echo(self, id, wait_us, how, data):
        Litter()
        if wait_us:
            time.sleep(wait_us / 1e6)
        fail(id, how)
        return f"{id}:{data}"

    def note(self, id, wait_us, how):
        os.write(self.notes, b"%d\\n" % id)
        if wait_us:
            time.sleep(wait_us / 1e6)
        fail(id, how)

    def lie(self, id):
        return Liar([id % 1000, 2, 3])
'''
