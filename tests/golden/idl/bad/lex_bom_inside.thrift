struct A {}
﻿struct B {}
