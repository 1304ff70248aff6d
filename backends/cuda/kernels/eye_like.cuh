// Ones on the DIAGONAL-th diagonal.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) { out0(p, s, o, Out0(o[1] == o[0] + DIAGONAL)); }
