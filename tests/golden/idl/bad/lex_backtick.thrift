struct `A` {}
