// Apache C++ TNonblockingServer: real decode and encode, one IO thread, no
// worker pool; generated with templates, so that the compiler knows protocol
// and buffers and no byte costs a virtual call.   cpp_nonblocking PORT
#include <memory>
#include <string>
#include <cstdlib>
#include <sys/resource.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/server/TNonblockingServer.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TNonblockingServerSocket.h>
#include "Bench.h"
#include "Bench.tcc"
#include "bench_types.tcc"
#include "make_user.h"

using namespace apache::thrift;
using Buffer = transport::TBufferBase;

class Handler : public bench::BenchIf {
public:
    void ping() override {}
    void echo(std::string& out, const std::string& text) override { out = text; }
    int64_t add(const int64_t a, const int64_t b) override { return a + b; }
    void get_user(bench::User& out, const int32_t id) override { make_user(out, id); }
    void batch(std::vector<bench::User>& out, const std::vector<bench::User>& users) override { out = users; }
    void notify(const int32_t, const std::string&) override {}
    void burn(const int32_t) override {}
};

int main(int argc, char** argv)
{
    if (argc < 2) return 2;
    struct rlimit rl;
    if (!getrlimit(RLIMIT_NOFILE, &rl)) { rl.rlim_cur = rl.rlim_max; setrlimit(RLIMIT_NOFILE, &rl); }
    auto handler = std::make_shared<Handler>();
    auto processor = std::make_shared<bench::BenchProcessorT<protocol::TBinaryProtocolT<Buffer>>>(handler);
    auto proto = std::make_shared<protocol::TBinaryProtocolFactoryT<Buffer>>();
    auto sock = std::make_shared<transport::TNonblockingServerSocket>("127.0.0.1", std::atoi(argv[1]));
    server::TNonblockingServer server(processor, proto, sock);
    server.setNumIOThreads(1);
    server.serve();
    return 0;
}
