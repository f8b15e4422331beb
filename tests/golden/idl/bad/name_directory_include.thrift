include "../inc"
