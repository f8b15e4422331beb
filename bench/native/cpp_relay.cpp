// Apache C++ TThreadedServer that asks another server for each user: a client of its own for each connection, as its
// users write it, over buffered frames.   cpp_relay PORT PORT_BEHIND
#include <cstdlib>
#include <memory>
#include <thrift/concurrency/ThreadFactory.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/server/TThreadedServer.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TServerSocket.h>
#include <thrift/transport/TSocket.h>
#include "Bench.h"
#include "Bench.tcc"
#include "bench_types.tcc"

using namespace apache::thrift;
using Buffer = transport::TBufferBase;
using Protocol = protocol::TBinaryProtocolT<Buffer>;

class Relay : public bench::BenchIf {
public:
    explicit Relay(int port)
    {
        auto socket = std::make_shared<transport::TSocket>("127.0.0.1", port);
        auto framed = std::make_shared<transport::TFramedTransport>(socket);
        framed->open();
        client = std::make_unique<bench::BenchClientT<Protocol>>(std::make_shared<Protocol>(framed));
    }
    void ping() override {}
    void echo(std::string& out, const std::string& text) override { out = text; }
    int64_t add(const int64_t a, const int64_t b) override { return a + b; }
    void get_user(bench::User& out, const int32_t id) override { client->get_user(out, id); }
    void batch(std::vector<bench::User>& out, const std::vector<bench::User>& users) override { out = users; }
    void notify(const int32_t, const std::string&) override {}
    void burn(const int32_t) override {}

private:
    std::unique_ptr<bench::BenchClientT<Protocol>> client;
};

class Relays : public bench::BenchIfFactory {
public:
    explicit Relays(int port) : port(port) {}
    bench::BenchIf* getHandler(const TConnectionInfo&) override { return new Relay(port); }
    void releaseHandler(bench::BenchIf* handler) override { delete handler; }

private:
    int port;
};

int main(int argc, char** argv)
{
    if (argc < 3) return 2;
    auto relays = std::make_shared<Relays>(std::atoi(argv[2]));
    server::TThreadedServer server(
        std::make_shared<bench::BenchProcessorFactoryT<Protocol>>(relays),
        std::make_shared<transport::TServerSocket>("127.0.0.1", std::atoi(argv[1])),
        std::make_shared<transport::TFramedTransportFactory>(),
        std::make_shared<protocol::TBinaryProtocolFactoryT<Buffer>>());
    server.serve();
    return 0;
}
