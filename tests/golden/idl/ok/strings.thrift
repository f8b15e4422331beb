const string DOUBLE = "say \"hi\" and 'ho'"
const string SINGLE = 'it\'s "fine"'
const string ESCAPES = "tab\tline\nreturn\rslash\\"
const string UMLAUT = "größer 漢字 🙂"
const binary BYTES = "raw"
const uuid ID = "01234567-89AB-cdef-0123-456789abcdef"
const uuid BRACED = "{01234567-89ab-cdef-0123-456789abcdef}"
const string EMPTY = ""
