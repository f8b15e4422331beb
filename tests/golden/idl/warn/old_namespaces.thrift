py_module a.b
php_namespace c
smalltalk_category "Gen-x"
struct A {}
