// A reduction over any axes: extent_of(s, d) elements along each dimension (1 where it stays) are folded by KIND.
constexpr int SUM = 0, MEAN = 1, MAXIMUM = 2, MINIMUM = 3, PRODUCT = 4, L1 = 5, L2 = 6, SQUARES = 7, LOG_SUM = 8, LOG_SUM_EXP = 9;
template <class T, bool FLOAT, bool SIGNED> struct Wide { using type = uint64_t; };
template <class T> struct Wide<T, false, true> { using type = int64_t; };
template <class T, bool SIGNED> struct Wide<T, true, SIGNED> { using type = double; };
using State = typename Wide<In0, is_float<In0>, is_signed<In0>>::type;

template <class Visit> BURNISH_DEVICE int each_element(const Operands& p, const Sizes& s, const int* o, Visit visit) {
  int count = 1;
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) count *= extent_of(s, d);
  for (int i = 0; i < count; ++i) {
    int rest = i, at[IN0_RANK > 0 ? IN0_RANK : 1];
#pragma unroll
    for (int d = IN0_RANK - 1; d >= 0; --d) {
      at[d] = o[d] + rest % extent_of(s, d);
      rest /= extent_of(s, d);
    }
    visit(in0(p, s, at));
  }
  return count;
}

BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  if constexpr (KIND == MAXIMUM || KIND == MINIMUM) {
    In0 extreme = In0(KIND == MAXIMUM ? LOWEST : HIGHEST);
    each_element(p, s, o, [&](In0 x) { extreme = KIND == MAXIMUM ? max_nan(extreme, x) : min_nan(extreme, x); });
    put(p, s, o, extreme);
  } else if constexpr (KIND == LOG_SUM_EXP) {
    double largest = __longlong_as_double(0xfff0000000000000ull), sum = 0;
    each_element(p, s, o, [&](In0 x) { largest = max_nan(largest, double(x)); });
    const double shift = is_nan(largest) || is_inf(largest) ? 0.0 : largest;
    each_element(p, s, o, [&](In0 x) { sum += ::exp(double(x) - shift); });
    put(p, s, o, Out0(::log(sum) + shift));
  } else {
    State state = KIND == PRODUCT ? 1 : 0;
    const int count = each_element(p, s, o, [&](In0 narrow_x) {
      const State x = State(narrow_x);
      if (KIND == PRODUCT) state = wrap_mul(state, x);
      else state = wrap_add(state, KIND == L1 ? abs(x) : KIND == L2 || KIND == SQUARES ? wrap_mul(x, x) : x);
    });
    if constexpr (KIND == L2) put(p, s, o, Out0(::sqrt(double(state))));
    else if constexpr (KIND == LOG_SUM) put(p, s, o, Out0(::log(double(state))));
    else if constexpr (KIND == MEAN) put(p, s, o, Out0(divide(state, State(count))));
    else put(p, s, o, Out0(state));
  }
}
