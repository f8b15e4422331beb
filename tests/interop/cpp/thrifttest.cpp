// Apache's C++ library calls every method of Apache's test services and compares what comes back. Run as
//
//   thrifttest HOST PORT TRANSPORT PROTOCOL [zlib] [multiplexed] [tls] [certificate]
//
// With tls, the file ca.pem says whom to trust; with certificate, client.pem and client.key are shown.
// TRANSPORT is framed, unframed, header or http, PROTOCOL binary, compact or json. It prints the names of the methods
// that it has called; anything unexpected is told in a sentence, and the exit code is 1. testUuid is left out: Debian's
// compiler knows no uuid.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <thrift/TApplicationException.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/protocol/THeaderProtocol.h>
#include <thrift/protocol/TJSONProtocol.h>
#include <thrift/protocol/TMultiplexedProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/THeaderTransport.h>
#include <thrift/transport/THttpClient.h>
#include <thrift/transport/TSSLSocket.h>
#include <thrift/transport/TSocket.h>

#include "SecondService.h"
#include "ThriftTest.h"

// The compiler leaves this to whoever wants such keys; generated code asks for it, though nothing here has any.
bool thrift::test::Insanity::operator<(const Insanity& other) const { return userMap < other.userMap; }

using namespace apache::thrift;
using namespace apache::thrift::protocol;
using namespace apache::thrift::transport;
using namespace thrift::test;

namespace {

const std::string UNICODE = u8"Zoë Žižek, 名前, עברית, 🦆\u200d, \U0010ffff";

std::string controls(char first) {
  std::string all;
  for (char each = first; each < 32; ++each) {
    all += each;
  }
  return all + u8"\x7f\u0080\u2028";
}

std::string every_byte(int times) {
  std::string all;
  for (int at = 0; at < 256 * times; ++at) {
    all += static_cast<char>(at);
  }
  return all;
}

void expect(bool fits, const std::string& what) {
  if (!fits) {
    throw std::runtime_error(what);
  }
}

// What is said on the command line, and the connections that it makes.
struct Peer {
  std::string host;
  int port;
  std::string transport;
  std::string protocol;
  bool zlib = false;
  bool multiplexed = false;
  bool tls = false;
  bool certificate = false;

  std::shared_ptr<TProtocol> connect(const std::string& service) const {
    auto made = speak();
    made->getTransport()->open();
    return multiplexed ? std::make_shared<TMultiplexedProtocol>(made, service) : made;
  }

 private:
  std::shared_ptr<TProtocol> speak() const {
    auto socket = tls ? encrypted() : std::make_shared<TSocket>(host, port);
    if (transport == "http") {
      return over(std::make_shared<THttpClient>(socket, host));
    }
    socket->setRecvTimeout(30000);
    if (transport == "framed") {
      return over(std::make_shared<TFramedTransport>(socket));
    }
    if (transport == "unframed") {
      return over(std::make_shared<TBufferedTransport>(socket));
    }
    expect(transport == "header" && protocol != "json", "there is no such dialect");
    auto inside = protocol == "binary" ? T_BINARY_PROTOCOL : T_COMPACT_PROTOCOL;
    auto made = std::make_shared<THeaderProtocol>(std::make_shared<TBufferedTransport>(socket), inside);
    if (zlib) {
      std::dynamic_pointer_cast<THeaderTransport>(made->getTransport())->setTransform(THeaderTransport::ZLIB_TRANSFORM);
    }
    return made;
  }

  std::shared_ptr<TSocket> encrypted() const {
    TSSLSocketFactory factory;
    factory.authenticate(true);
    factory.loadTrustedCertificates("ca.pem");
    if (certificate) {
      factory.loadCertificate("client.pem");
      factory.loadPrivateKey("client.key");
    }
    return factory.createSocket(host, port);
  }

  std::shared_ptr<TProtocol> over(std::shared_ptr<TTransport> carrier) const {
    if (protocol == "binary") {
      return std::make_shared<TBinaryProtocol>(carrier);
    }
    if (protocol == "compact") {
      return std::make_shared<TCompactProtocol>(carrier);
    }
    expect(protocol == "json", "there is no such protocol");
    return std::make_shared<TJSONProtocol>(carrier);
  }
};

class Test {
 public:
  explicit Test(const Peer& peer)
      : peer_(peer), first_(peer.protocol == "json"), client_(peer.connect("ThriftTest")) {}

  std::set<std::string> run() {
    if (peer_.zlib) {
      make_room();
    }
    called("testVoid").testVoid();
    base_types();
    structs();
    containers();
    exceptions();
    oneway();
    second();
    return called_;
  }

 private:
  using Client = ThriftTestClient;

  Client& called(const std::string& name) {
    called_.insert(name);
    return client_;
  }

  // Values that are returned as they are.
  template <class Value>
  void echo(const std::string& name, Value (Client::*method)(Value), const std::vector<Value>& values) {
    for (Value value : values) {
      expect((called(name).*method)(value) == value, name + " returns another value");
    }
  }

  template <class Value>
  void echo(const std::string& name, void (Client::*method)(Value&, const Value&), const std::vector<Value>& values) {
    for (const Value& value : values) {
      Value result;
      (called(name).*method)(result, value);
      expect(result == value, name + " returns another value");
    }
  }

  // THeaderTransport (until 0.17 at least) unpacks a reply over the packed one, in a buffer that is as large as the
  // largest frame so far. A first reply that no zlib makes smaller has room for all the others.
  void make_room() {
    std::minstd_rand random;
    std::string noise;
    while (noise.size() < 300000) {
      noise += static_cast<char>(random() >> 8);
    }
    echo<std::string>("testBinary", &Client::testBinary, {noise});
  }

  void base_types() {
    std::string name;  // of many bytes in each character
    for (int times = 0; times < 70000; ++times) {
      name += u8"名";
    }
    std::vector<std::string> texts = {"", UNICODE, controls(first_), "\"quotes\" \\ / %s", name};
    texts.push_back(std::string(100000, 'x'));
    echo<std::string>("testString", &Client::testString, texts);
    echo<std::string>("testBinary", &Client::testBinary,
                      {"", std::string(1, '\0'), every_byte(1), every_byte(512), "\xff\xfe not UTF-8 \xc3"});
    for (bool flag : {true, false}) {
      expect(called("testBool").testBool(flag) == flag, "testBool returns another value");
    }
    echo<int8_t>("testByte", &Client::testByte, {0, 1, -1, 127, -128});
    echo<int32_t>("testI32", &Client::testI32, {0, -1, INT32_MAX, INT32_MIN});
    std::vector<int64_t> large = {0, -1, 1LL << 31, -(1LL << 53) - 1, (1LL << 53) + 1, INT64_MAX, INT64_MIN};
    echo<int64_t>("testI64", &Client::testI64, large);
    echo<UserId>("testTypedef", &Client::testTypedef, large);
    using Limits = std::numeric_limits<double>;
    for (double number : {0.0, -0.0, 0.1, -1.0 / 3, 5e-324, Limits::max(), Limits::infinity(), -Limits::infinity()}) {
      double result = called("testDouble").testDouble(number);
      expect(std::memcmp(&result, &number, sizeof number) == 0, "testDouble returns another value");
    }
    expect(std::isnan(client_.testDouble(std::nan(""))), "testDouble returns a number for NaN");
  }

  static Xtruct full() {
    Xtruct made;
    made.__set_string_thing(UNICODE);
    made.__set_byte_thing(-128);
    made.__set_i32_thing(INT32_MIN);
    made.__set_i64_thing(INT64_MIN);
    return made;
  }

  void structs() {
    echo<Xtruct>("testStruct", &Client::testStruct, {full(), Xtruct()});
    Xtruct2 nest;
    nest.__set_byte_thing(1);
    nest.__set_struct_thing(full());
    nest.__set_i32_thing(5);
    echo<Xtruct2>("testNest", &Client::testNest, {nest, Xtruct2()});

    Insanity insanity;
    insanity.__set_userMap({{Numberz::FIVE, 5}, {Numberz::EIGHT, 1LL << 40}});
    insanity.__set_xtructs({full(), Xtruct()});
    for (const Insanity& argument : {insanity, Insanity()}) {
      std::map<UserId, std::map<Numberz::type, Insanity>> result, expected;
      expected[1] = {{Numberz::TWO, argument}, {Numberz::THREE, argument}};
      expected[2] = {{Numberz::SIX, Insanity()}};
      called("testInsanity").testInsanity(result, argument);
      expect(result == expected, "testInsanity returns another value");
    }

    Xtruct result, expected;
    std::map<int16_t, std::string> texts = {{INT16_MIN, "abc"}, {2, UNICODE}};
    called("testMulti").testMulti(result, -128, INT32_MAX, INT64_MIN, texts, Numberz::SIX, 7);
    expected.__set_string_thing("Hello2");
    expected.__set_byte_thing(-128);
    expected.__set_i32_thing(INT32_MAX);
    expected.__set_i64_thing(INT64_MIN);
    expect(result == expected, "testMulti returns another value");
  }

  void containers() {
    using Numbers = std::map<int32_t, int32_t>;
    using Texts = std::map<std::string, std::string>;
    std::vector<int32_t> long_list;
    for (int32_t number = 0; number < 10000; ++number) {
      long_list.push_back(number);
    }
    echo<Numbers>("testMap", &Client::testMap, {{}, {{0, 0}}, {{1, -9}, {-2, -8}, {INT32_MAX, INT32_MIN}}});
    echo<Texts>("testStringMap", &Client::testStringMap, {{}, {{"", ""}}, {{"a", "2"}, {UNICODE, controls(first_)}}});
    echo<std::set<int32_t>>("testSet", &Client::testSet, {{}, {0}, {-2, -1, 0, 1, 2}});
    echo<std::vector<int32_t>>("testList", &Client::testList, {{}, {0}, {2, 1, 1, -5}, long_list});
    // 4 is not in the enum.
    echo<Numberz::type>("testEnum", &Client::testEnum, {Numberz::ONE, Numberz::EIGHT, static_cast<Numberz::type>(4)});
    std::map<int32_t, Numbers> result;
    called("testMapMap").testMapMap(result, 1);
    std::map<int32_t, Numbers> expected = {{-4, {{-4, -4}, {-3, -3}, {-2, -2}, {-1, -1}}},
                                           {4, {{1, 1}, {2, 2}, {3, 3}, {4, 4}}}};
    expect(result == expected, "testMapMap returns another value");
  }

  template <class Error>
  static void raises(const std::function<void()>& call, const std::function<bool(const Error&)>& fits,
                     const char* name) {
    try {
      call();
    } catch (const Error& error) {
      expect(fits(error), std::string(name) + " raises another error: " + error.what());
      return;
    }
    throw std::runtime_error(std::string(name) + " raises nothing");
  }

  void exceptions() {
    Xtruct result;
    raises<Xception>([&] { called("testException").testException("Xception"); },
                     [](const Xception& error) { return error.errorCode == 1001 && error.message == "Xception"; },
                     "testException");
    raises<TApplicationException>(
        [&] { client_.testException("TException"); },
        [](const TApplicationException& error) { return error.getType() == TApplicationException::INTERNAL_ERROR; },
        "testException");
    client_.testException("success");
    raises<Xception>(
        [&] { called("testMultiException").testMultiException(result, "Xception", "ignored"); },
        [](const Xception& error) { return error.errorCode == 1001 && error.message == "This is an Xception"; },
        "testMultiException");
    raises<Xception2>(
        [&] { client_.testMultiException(result, "Xception2", "ignored"); },
        [](const Xception2& error) {
          return error.errorCode == 2002 && error.struct_thing.string_thing == "This is an Xception2";
        },
        "testMultiException");
    client_.testMultiException(result, "success", UNICODE);
    expect(result.string_thing == UNICODE, "testMultiException returns another value");
  }

  void oneway() {
    called("testOneway").testOneway(0);
    // THttpClient leaves the reply to a oneway unread, and takes it for that of the next call.
    if (peer_.transport != "http") {
      expect(client_.testI32(1) == 1, "testI32 returns another value");
    }
  }

  void second() {
    SecondServiceClient client(peer_.connect("SecondService"));
    std::string result;
    called_.insert("secondtestString");
    client.secondtestString(result, UNICODE);
    expect(result == "testString(\"" + UNICODE + "\")", "secondtestString returns another value");
  }

  const Peer& peer_;
  // The first control character: TJSONProtocol (until 0.17 at least) loses U+0000 when it reads a string.
  const char first_;
  Client client_;
  std::set<std::string> called_;
};

}  // namespace

int main(int count, char** values) {
  std::vector<std::string> args(values + 1, values + count);
  if (args.size() < 4) {
    std::cerr << "usage: thrifttest HOST PORT TRANSPORT PROTOCOL [zlib] [multiplexed] [tls] [certificate]\n";
    return 2;
  }
  Peer peer{args[0], std::stoi(args[1]), args[2], args[3]};
  std::map<std::string, bool Peer::*> flags{
      {"zlib", &Peer::zlib}, {"multiplexed", &Peer::multiplexed}, {"tls", &Peer::tls}, {"certificate", &Peer::certificate}};
  for (const std::string& each : std::vector<std::string>(args.begin() + 4, args.end())) {
    peer.*flags.at(each) = true;
  }
  try {
    for (const std::string& name : Test(peer).run()) {
      std::cout << name << "\n";
    }
  } catch (const std::exception& error) {
    std::cerr << args[2] << " " << args[3] << ": " << error.what() << "\n";
    return 1;
  }
  return 0;
}
