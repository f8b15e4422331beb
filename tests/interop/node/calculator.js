// Every method of the calculator, and each kind of answer.

"use strict";

const assert = require("node:assert/strict");
const thrift = require("thrift");
const { CONTROLS, UNICODE, load, raises, record, refused, run, same } = require("./peer");

const Calculator = load("Calculator");
const { DivisionByZero, InvalidOperation, Operation, Work } = load("calculator_types");

const I32 = 2 ** 31 - 1;

run(async (connection) => {
  const [client, called] = record(thrift.createClient(Calculator, connection));
  same(await client.add(2, 3), 5n);
  same(await client.add(I32, I32), 2n ** 32n - 2n);
  same(await client.subtract(-I32 - 1, I32), -(2n ** 32n) + 1n);
  same(await client.multiply(-I32 - 1, -I32 - 1), 2n ** 62n);
  assert.equal(await client.divide(1, 3), 1 / 3);
  same(await raises(DivisionByZero, client.divide(7, 0)), { dividend: 7, name: "DivisionByZero" });

  assert.equal(await client.calculate(new Work({ left: 0.1, right: 0.2 })), 0.1 + 0.2);
  const { ADD, DIVIDE, MODULO, MULTIPLY, SUBTRACT } = Operation;
  const calculate = (left, operation, right, comment) =>
    client.calculate(new Work({ left, right, operation, comment }));
  assert.equal(await calculate(1, ADD, -1), 0);
  assert.equal(await calculate(2.5, SUBTRACT, -0.5), 3);
  assert.equal(await calculate(1e308, MULTIPLY, 10), Infinity);
  assert.equal(await calculate(1, DIVIDE, 4, UNICODE), 0.25);
  assert.equal((await raises(DivisionByZero, calculate(5e-324, DIVIDE, -0))).dividend, 5e-324);
  const invalid = await raises(InvalidOperation, calculate(1, MODULO, 2));
  assert.equal(invalid.operation, 77);
  assert.equal(invalid.message, "there is no operation 77");

  await client.note(UNICODE);
  same(await client.add(1, 1), 2n);
  await client.note(CONTROLS);
  await client.note("");
  await refused("UNKNOWN_METHOD", client.modulo(7, 3), "modulo", "Calculator");

  // Many calls on their way at once, with a oneway, an exception and an unknown method among them.
  const sums = Array.from({ length: 100 }, (_, n) => client.add(n, n));
  const others = [
    client.note("among others"),
    raises(DivisionByZero, client.divide(1, 0)),
    refused("UNKNOWN_METHOD", client.modulo(1, 1)),
    client.multiply(6, 7),
  ];
  same(await Promise.all(sums), sums.map((_, n) => BigInt(2 * n)));
  same((await Promise.all(others))[3], 42n);
  return { called: [...called] };
});
