/// A tensor as a user's kernel sees it, rows behind rows. T is const for an argument. Floats of 16 bits are burnish::f16
/// and burnish::bf16, which widen(x) makes floats, and narrow<burnish::f16>(x) again.
template <class T, int Rank> struct Tensor {
  T* data;
  int sizes[Rank > 0 ? Rank : 1];
  BURNISH_DEVICE int size(int axis) const { return sizes[axis]; }
  BURNISH_DEVICE int count() const {
    int product = 1;
    for (int axis = 0; axis < Rank; ++axis) product *= sizes[axis];
    return product;
  }
};
