/**
 * What Jaeger's and Zipkin's tracers send: the methods of Jaeger's Agent and Collector and of Zipkin's ZipkinCollector,
 * and Scribe's `Log`, which Zipkin's tracers write to, with the names and the numbers that are on the wire, in one
 * service; and `recent`, to see what has come. handlers/spans.py answers it.
 */

include "scribe.thrift"

enum TagType { STRING, DOUBLE, BOOL, LONG, BINARY }

struct Tag {
  1: required string key,
  2: required TagType vType,
  3: optional string vStr,
  4: optional double vDouble,
  5: optional bool vBool,
  6: optional i64 vLong,
  7: optional binary vBinary
}

struct Log {
  1: required i64 timestamp,
  2: required list<Tag> fields
}

enum SpanRefType { CHILD_OF, FOLLOWS_FROM }

struct SpanRef {
  1: required SpanRefType refType,
  2: required i64 traceIdLow,
  3: required i64 traceIdHigh,
  4: required i64 spanId
}

/** Times are microseconds, since 1970-01-01 UTC where they are points. */
struct Span {
  1: required i64 traceIdLow,
  2: required i64 traceIdHigh,
  3: required i64 spanId,
  4: required i64 parentSpanId,       // 0: none
  5: required string operationName,
  6: optional list<SpanRef> references,
  7: required i32 flags,
  8: required i64 startTime,
  9: required i64 duration,
  10: optional list<Tag> tags,
  11: optional list<Log> logs
}

struct Process {
  1: required string serviceName,
  2: optional list<Tag> tags
}

struct Batch {
  1: required Process process,
  2: required list<Span> spans
}

struct BatchSubmitResponse { 1: required bool ok }

struct Endpoint {
  1: i32 ipv4,
  2: i16 port,
  3: string service_name,
  4: optional binary ipv6
}

struct Annotation {
  1: i64 timestamp,
  2: string value,
  3: optional Endpoint host
}

enum AnnotationType { BOOL, BYTES, I16, I32, I64, DOUBLE, STRING }

struct BinaryAnnotation {
  1: string key,
  2: binary value,
  3: AnnotationType annotation_type,
  4: optional Endpoint host
}

struct ZipkinSpan {
  1: i64 trace_id,
  3: string name,
  4: i64 id,
  5: optional i64 parent_id,
  6: list<Annotation> annotations,
  8: list<BinaryAnnotation> binary_annotations,
  9: optional bool debug = false,
  10: optional i64 timestamp,
  11: optional i64 duration,
  12: optional i64 trace_id_high
}

struct ZipkinResponse { 1: required bool ok }

/** A span as it is kept; ids are hexadecimal. */
struct Kept {
  1: required string trace,
  2: required string id,
  3: optional string parent,
  4: required string process,
  5: required string name,
  6: required i64 start,
  7: required i64 duration,
  8: required map<string, string> tags
}

service Spans {
  oneway void emitBatch(1: Batch batch),
  oneway void emitZipkinBatch(1: list<ZipkinSpan> spans),
  list<BatchSubmitResponse> submitBatches(1: list<Batch> batches),
  list<ZipkinResponse> submitZipkinBatch(1: list<ZipkinSpan> spans),

  /** Entries of the category `zipkin` are spans, each a ZipkinSpan in the binary protocol in Base64; others are not kept. */
  scribe.ResultCode Log(1: list<scribe.LogEntry> messages),

  /** The spans that began last; of one process, if it is named. */
  list<Kept> recent(1: string process, 2: i32 limit = 20)
}

/** The arguments of the oneway methods, as a datagram has them. */
struct EmitBatch { 1: Batch batch }
struct EmitZipkinBatch { 1: list<ZipkinSpan> spans }
