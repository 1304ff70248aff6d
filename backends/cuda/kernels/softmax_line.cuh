// Softmax, log-softmax or hardmax: a thread takes a line along AXIS.
constexpr int SOFTMAX = 0, LOG_SOFTMAX = 1;
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = o[d];
  const int size = in0_dim(s, AXIS);
  In0 largest = in0(p, s, o);
  int first = 0;
  for (at[AXIS] = 1; at[AXIS] < size; ++at[AXIS]) {
    const In0 x = in0(p, s, at);
    if (x > largest || (x != x && largest == largest)) {
      largest = x;
      first = at[AXIS];
    }
  }
  if constexpr (KIND == SOFTMAX || KIND == LOG_SOFTMAX) {
    double sum = 0;
    for (at[AXIS] = 0; at[AXIS] < size; ++at[AXIS]) sum += double(exp(in0(p, s, at) - largest));
    const In0 shift = In0(::log(sum)), factor = In0(1 / sum);
    for (at[AXIS] = 0; at[AXIS] < size; ++at[AXIS]) {
      const In0 x = in0(p, s, at) - largest;
      out0(p, s, at, KIND == SOFTMAX ? exp(x) * factor : x - shift);
    }
  } else {
    for (at[AXIS] = 0; at[AXIS] < size; ++at[AXIS]) out0(p, s, at, Out0(at[AXIS] == first));
  }
}
