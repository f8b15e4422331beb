// Apache's C++ library as a server of its test services: server KIND DIALECT PORT, where KIND is threaded or
// nonblocking. It prints the port that it listens at. testUuid is left out: Debian's compiler knows no uuid.

#include <iostream>
#include <memory>
#include <string>

#include <thrift/processor/TMultiplexedProcessor.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/protocol/THeaderProtocol.h>
#include <thrift/protocol/TJSONProtocol.h>
#include <thrift/server/TNonblockingServer.h>
#include <thrift/server/TThreadedServer.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/THttpServer.h>
#include <thrift/transport/TNonblockingServerSocket.h>
#include <thrift/transport/TServerSocket.h>

#include "SecondService.h"
#include "ThriftTest.h"

// The compiler leaves this to whoever wants such keys; generated code asks for it, though nothing here has any.
bool thrift::test::Insanity::operator<(const Insanity& other) const { return userMap < other.userMap; }

using namespace apache::thrift;
using namespace thrift::test;

namespace {

class Handler : public ThriftTestIf {
public:
  void testVoid() override {}
  void testString(std::string& out, const std::string& thing) override { out = thing; }
  bool testBool(const bool thing) override { return thing; }
  int8_t testByte(const int8_t thing) override { return thing; }
  int32_t testI32(const int32_t thing) override { return thing; }
  int64_t testI64(const int64_t thing) override { return thing; }
  double testDouble(const double thing) override { return thing; }
  void testBinary(std::string& out, const std::string& thing) override { out = thing; }
  void testStruct(Xtruct& out, const Xtruct& thing) override { out = thing; }
  void testNest(Xtruct2& out, const Xtruct2& thing) override { out = thing; }
  void testMap(std::map<int32_t, int32_t>& out, const std::map<int32_t, int32_t>& thing) override { out = thing; }
  void testStringMap(std::map<std::string, std::string>& out,
                     const std::map<std::string, std::string>& thing) override {
    out = thing;
  }
  void testSet(std::set<int32_t>& out, const std::set<int32_t>& thing) override { out = thing; }
  void testList(std::vector<int32_t>& out, const std::vector<int32_t>& thing) override { out = thing; }
  Numberz::type testEnum(const Numberz::type thing) override { return thing; }
  UserId testTypedef(const UserId thing) override { return thing; }
  void testMapMap(std::map<int32_t, std::map<int32_t, int32_t>>& out, const int32_t) override {
    for (int each = 1; each <= 4; ++each) {
      out[4][each] = each;
      out[-4][-each] = -each;
    }
  }
  void testInsanity(std::map<UserId, std::map<Numberz::type, Insanity>>& out, const Insanity& argument) override {
    out[1][Numberz::TWO] = argument;
    out[1][Numberz::THREE] = argument;
    out[2][Numberz::SIX] = Insanity();
  }
  void testMulti(Xtruct& out, const int8_t arg0, const int32_t arg1, const int64_t arg2,
                 const std::map<int16_t, std::string>&, const Numberz::type, const UserId) override {
    out.__set_string_thing("Hello2");
    out.__set_byte_thing(arg0);
    out.__set_i32_thing(arg1);
    out.__set_i64_thing(arg2);
  }
  void testException(const std::string& arg) override {
    if (arg == "Xception") {
      throw xception(arg);
    }
    if (arg == "TException") {
      throw TException("an exception that the IDL does not declare");
    }
  }
  void testMultiException(Xtruct& out, const std::string& arg0, const std::string& arg1) override {
    if (arg0 == "Xception") {
      throw xception("This is an Xception");
    }
    if (arg0 == "Xception2") {
      Xception2 error;
      error.__set_errorCode(2002);
      error.struct_thing.__set_string_thing("This is an Xception2");
      error.__isset.struct_thing = true;
      throw error;
    }
    out.__set_string_thing(arg1);
  }
  void testOneway(const int32_t) override {}

private:
  static Xception xception(const std::string& message) {
    Xception error;
    error.__set_errorCode(1001);
    error.__set_message(message);
    return error;
  }
};

class Second : public SecondServiceIf {
public:
  void secondtestString(std::string& out, const std::string& thing) override { out = "testString(\"" + thing + "\")"; }
};

// Says where it listens, once it does.
template <class Socket>
class Told : public server::TServerEventHandler {
public:
  explicit Told(std::shared_ptr<Socket> socket) : socket_(std::move(socket)) {}
  void preServe() override { std::cout << port(*socket_) << std::endl; }

private:
  static int port(transport::TServerSocket& socket) { return socket.getPort(); }
  static int port(transport::TNonblockingServerSocket& socket) { return socket.getListenPort(); }
  std::shared_ptr<Socket> socket_;
};

std::shared_ptr<protocol::TProtocolFactory> protocol_of(const std::string& name) {
  if (name == "header") {
    return std::make_shared<protocol::THeaderProtocolFactory>();
  }
  if (name == "compact") {
    return std::make_shared<protocol::TCompactProtocolFactory>();
  }
  if (name == "json") {
    return std::make_shared<protocol::TJSONProtocolFactory>();
  }
  return std::make_shared<protocol::TBinaryProtocolFactory>();
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    return 2;
  }
  const std::string kind = argv[1], dialect = argv[2];
  const int port = std::stoi(argv[3]);
  const auto first = std::make_shared<ThriftTestProcessor>(std::make_shared<Handler>());
  const auto processor = std::make_shared<TMultiplexedProcessor>();
  processor->registerDefault(first);
  processor->registerProcessor("ThriftTest", first);
  processor->registerProcessor("SecondService", std::make_shared<SecondServiceProcessor>(std::make_shared<Second>()));
  const auto protocol = protocol_of(dialect.substr(dialect.find('-') + 1));
  if (kind == "nonblocking") {
    const auto socket = std::make_shared<transport::TNonblockingServerSocket>("127.0.0.1", port);
    server::TNonblockingServer server(processor, protocol, socket);
    server.setServerEventHandler(std::make_shared<Told<transport::TNonblockingServerSocket>>(socket));
    server.serve();
    return 0;
  }
  std::shared_ptr<transport::TTransportFactory> packing = std::make_shared<transport::TBufferedTransportFactory>();
  if (dialect.rfind("http", 0) == 0) {
    packing = std::make_shared<transport::THttpServerTransportFactory>();
  } else if (dialect.rfind("framed", 0) == 0) {
    packing = std::make_shared<transport::TFramedTransportFactory>(); // THeaderProtocol packs for itself
  }
  const auto socket = std::make_shared<transport::TServerSocket>("127.0.0.1", port);
  server::TThreadedServer server(processor, socket, packing, protocol);
  server.setServerEventHandler(std::make_shared<Told<transport::TServerSocket>>(socket));
  server.serve();
  return 0;
}
