// An application with Zipkin's tracer for Node: node tests/hosted/zipkin.js HOST PORT PROCESS COUNT.
// Each of the tracers reports three spans, as a server that works and calls another one; all of them are written through
// one client of Scribe, which never ends by itself.

"use strict";

const { Annotation, BatchRecorder, ExplicitContext, InetAddress, Tracer } = require("zipkin");
const { ScribeLogger } = require("zipkin-transport-scribe");

const [host, port, name, count] = process.argv.slice(2);
const logger = new ScribeLogger({ scribeHost: host, scribePort: Number(port), scribeInterval: 500 });

for (let number = 0; number < Number(count); number++) {
  const tracer = new Tracer({
    ctxImpl: new ExplicitContext(),
    recorder: new BatchRecorder({ logger }),
    traceId128Bit: true,
    localServiceName: `${name}${number}`,
    defaultTags: { release: "7" },
  });
  const get = tracer.createRootId();
  tracer.letId(get, () => {
    tracer.recordServiceName(tracer.localEndpoint.serviceName);
    tracer.recordRpc("get");
    tracer.recordAnnotation(new Annotation.ServerRecv());
    tracer.recordBinary("http.path", "/buy");
    tracer.local("order", () => {
      tracer.letId(tracer.createChildId(), () => {
        const bank = new Annotation.ServerAddr({ serviceName: "bank", host: new InetAddress("10.0.0.1"), port: 80 });
        tracer.recordServiceName(tracer.localEndpoint.serviceName);
        tracer.recordRpc("pay");
        tracer.recordAnnotation(new Annotation.ClientSend());
        tracer.recordAnnotation(bank);
        tracer.recordAnnotation(new Annotation.ClientRecv());
      });
    });
    tracer.recordAnnotation(new Annotation.ServerSend());
  });
}
