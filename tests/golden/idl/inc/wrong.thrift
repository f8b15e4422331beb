struct Inner { 1: Missing m }
