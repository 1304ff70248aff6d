// The triangle above (UPPER) or below the diagonal0-th diagonal, zeros elsewhere.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  const int edge = o[OUT0_RANK - 2] + s.diagonal0, column = o[OUT0_RANK - 1];
  out0(p, s, o, (UPPER ? column >= edge : column <= edge) ? in0(p, s, o) : Out0(0));
}
