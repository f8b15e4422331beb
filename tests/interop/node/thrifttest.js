// Every method of Apache's test services, bare or (MORE: multiplexed) multiplexed.

"use strict";

const assert = require("node:assert/strict");
const thrift = require("thrift");
const peer = require("./peer");
const { CONTROLS, EVERY_BYTE, UNICODE, i64, load, raises, refused, same } = peer;

const ThriftTest = load("ThriftTest");
const SecondService = load("SecondService");
const { Insanity, Numberz, Xception, Xception2, Xtruct, Xtruct2 } = load("ThriftTest_types");

// In JSON the library writes NaN and Infinity, which are none, and an Int64 of -1 as -000000000001.
const inJson = peer.protocol === "json";
const NOT_FINITE = inJson ? [] : [-Infinity, NaN];
const NEGATIVE = inJson ? -(2n ** 60n) : -1n;

peer.run(async (connection) => {
  const multiplexed = peer.more[0] === "multiplexed";
  const multiplexer = multiplexed ? new thrift.Multiplexer() : null;
  const make = (name, service) => peer.client(service, connection, multiplexer, name);
  const [client, called] = peer.record(make("ThriftTest", ThriftTest));
  await baseTypes(client);
  await structs(client);
  await containers(client);
  await exceptions(client);

  // What Node is known for: everything at once, on one connection.
  const numbers = Array.from({ length: 300 }, (_, n) => n);
  const answers = numbers.map((n) => (n % 2 ? client.testI32(n) : client.testString(`${n}`)));
  await client.testOneway(0);
  same(await Promise.all(answers), numbers.map((n) => (n % 2 ? n : `${n}`)));

  if (multiplexed) {
    const [second, calledToo] = peer.record(make("SecondService", SecondService), called);
    const both = await Promise.all([second.secondtestString(UNICODE), client.testString("between")]);
    same(both, [`testString("${UNICODE}")`, "between"]);
    await refused("UNKNOWN_METHOD", make("ThirdService", SecondService).secondtestString(""), "'ThirdService'");
    assert.equal(calledToo, called);
  }
  return { called: [...called] };
});

async function echoes(method, values) {
  for (const value of values) {
    same(await method(value), value);
  }
}

async function baseTypes(client) {
  same(await client.testVoid(), undefined);
  await echoes((it) => client.testString(it), ["", UNICODE, CONTROLS, "\0", "x".repeat(100_000), "名".repeat(70_000)]);
  await echoes((it) => client.testBool(it), [true, false]);
  await echoes((it) => client.testByte(it), [0, 1, -1, 127, -128]);
  await echoes((it) => client.testI32(it), [0, -1, 2 ** 31 - 1, -(2 ** 31)]);
  const large = [0n, NEGATIVE, 2n ** 31n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)].map(i64);
  await echoes((it) => client.testI64(it), large);
  await echoes((it) => client.testTypedef(it), large);
  // Not -0: the library itself writes it as 0.
  await echoes((it) => client.testDouble(it), [0, 0.1, -1 / 3, 5e-324, Number.MAX_VALUE, ...NOT_FINITE]);
  const long = Buffer.concat(Array(512).fill(EVERY_BYTE));
  await echoes((it) => client.testBinary(it), [Buffer.alloc(0), Buffer.from([0]), EVERY_BYTE, long]);
}

async function structs(client) {
  const full = new Xtruct({ string_thing: UNICODE, byte_thing: -128, i32_thing: -(2 ** 31), i64_thing: i64(NEGATIVE) });
  await echoes((it) => client.testStruct(it), [full, new Xtruct(), new Xtruct({ string_thing: "" })]);
  const nests = [{ byte_thing: 1, struct_thing: full, i32_thing: 5 }, {}, { struct_thing: new Xtruct() }];
  await echoes((it) => client.testNest(it), nests.map((fields) => new Xtruct2(fields)));
  const insanity = new Insanity({ userMap: { [Numberz.FIVE]: i64(5), 1000: i64(NEGATIVE) }, xtructs: [full, new Xtruct()] });
  for (const argument of [insanity, new Insanity(), new Insanity({ userMap: {}, xtructs: [] })]) {
    const { TWO, THREE, SIX } = Numberz;
    same(await client.testInsanity(argument), { 1: { [TWO]: argument, [THREE]: argument }, 2: { [SIX]: {} } });
  }
  const multi = await client.testMulti(-128, 2 ** 31 - 1, i64(-(2n ** 63n)), { 1: "abc", "-2": UNICODE }, Numberz.SIX, 7);
  same(multi, { string_thing: "Hello2", byte_thing: -128, i32_thing: 2 ** 31 - 1, i64_thing: -(2n ** 63n) });
}

async function containers(client) {
  await echoes((it) => client.testMap(it), [{}, { 0: 0 }, { 1: -9, "-2": -8 }]);
  await echoes((it) => client.testStringMap(it), [{}, { "": "" }, { a: "2", "a\t": "" }, { [UNICODE]: CONTROLS }]);
  for (const members of [[], [0], [-2, -1, 0, 1, 2]]) {
    const echo = await client.testSet(members);
    same(echo.sort((a, b) => a - b), members);
  }
  await echoes((it) => client.testList(it), [[], [0], [2, 1, 1, -5], [...Array(10_000).keys()]]);
  await echoes((it) => client.testEnum(it), [...Object.values(Numberz), 0, 4, -1, 2 ** 31 - 1]);
  const four = { 1: 1, 2: 2, 3: 3, 4: 4 };
  same(await client.testMapMap(1), { "-4": { "-4": -4, "-3": -3, "-2": -2, "-1": -1 }, 4: four });
}

async function exceptions(client) {
  const one = await raises(Xception, client.testException("Xception"));
  assert.deepEqual([one.errorCode, one.message], [1001, "Xception"]);
  await refused("INTERNAL_ERROR", client.testException("TException"), "internal error");
  same(await client.testException("success"), undefined);
  const first = await raises(Xception, client.testMultiException("Xception", "ignored"));
  assert.deepEqual([first.errorCode, first.message], [1001, "This is an Xception"]);
  const second = await raises(Xception2, client.testMultiException("Xception2", "ignored"));
  same([second.errorCode, second.struct_thing], [2002, { string_thing: "This is an Xception2" }]);
  same(await client.testMultiException("success", UNICODE), { string_thing: UNICODE });
}
