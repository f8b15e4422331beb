struct Node { 1: list<Node> children, 2: map<string, Node> by_name, 3: optional Leaf leaf }
struct Leaf { 1: optional Node parent }
union Json { 1: string s, 2: list<Json> l, 3: map<string, Json> m }
typedef list<Node> Nodes
