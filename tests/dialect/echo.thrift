// What a call was packed in, told by the call itself.
service Echo {
  string dialect(),
  // Returns the headers of the request, and sends these beside the reply.
  map<string, string> headers(1: map<string, string> reply),
  string repeat(1: string text, 2: i32 times),
  oneway void note(1: string text)
}
