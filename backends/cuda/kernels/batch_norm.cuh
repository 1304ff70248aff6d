// (x - mean) / sqrt(variance + epsilon) * scale + bias, per channel.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  const int c[1] = {o[1]};
  const double factor = double(in1(p, s, c)) / ::sqrt(double(in4(p, s, c)) + EPSILON);
  out0(p, s, o, Out0((double(in0(p, s, o)) - double(in3(p, s, c))) * factor + double(in2(p, s, c))));
}
