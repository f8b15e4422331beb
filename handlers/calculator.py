"""The calculator of idl/calculator.thrift: the smallest handler worth running."""

import operator
from pathlib import Path
from typing import Any

import structlog

import thriftserver

api = thriftserver.load(Path(__file__).parent.parent / "idl" / "calculator.thrift")
log = structlog.get_logger()

OPERATIONS = {
    api.Operation.ADD: operator.add,
    api.Operation.SUBTRACT: operator.sub,
    api.Operation.MULTIPLY: operator.mul,
    api.Operation.DIVIDE: operator.truediv,
}


class Calculator:
    """Methods have the names and the arguments of the IDL; there is nothing to inherit from and nothing to register."""

    def add(self, a: int, b: int) -> int:
        return a + b

    def subtract(self, a: int, b: int) -> int:
        return a - b

    def multiply(self, a: int, b: int) -> int:
        return a * b

    def divide(self, a: int, b: int) -> float:
        if b == 0:
            raise api.DivisionByZero(dividend=a)
        return a / b

    def calculate(self, work: Any) -> float:
        operation = OPERATIONS.get(work.operation)
        if operation is None:
            raise api.InvalidOperation(work.operation, f"there is no operation {work.operation}")
        try:
            result: float = operation(work.left, work.right)
        except ZeroDivisionError:
            raise api.DivisionByZero(dividend=work.left) from None
        if work.comment is not None:
            log.info("calculated", comment=work.comment, result=result)
        return result

    def note(self, text: str) -> None:
        log.info("note", text=text)
