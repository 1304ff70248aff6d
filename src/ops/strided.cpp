#include "ops/strided.h"

#include <cstring>

#include "base/dispatch.h"
#include "base/parallel.h"

namespace burnish::ops {
namespace {

constexpr int64_t copy_grain = 1 << 15;  // elements: less is not worth a thread

/// A grid without dimensions of one, neighbours merged where both sides allow it.
struct Grid {
  Shape sizes;
  std::vector<int64_t> from, to;
};

Grid merged(const Shape& sizes, const Strided& from, const Strided& to) {
  Grid grid;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 1) continue;
    const bool merge = !grid.sizes.empty() && grid.from.back() == from.strides[d] * sizes[d] &&
                       grid.to.back() == to.strides[d] * sizes[d];
    if (merge) {
      grid.sizes.back() *= sizes[d];
      grid.from.back() = from.strides[d];
      grid.to.back() = to.strides[d];
    } else {
      grid.sizes.push_back(sizes[d]);
      grid.from.push_back(from.strides[d]);
      grid.to.push_back(to.strides[d]);
    }
  }
  if (grid.sizes.empty()) grid = {{1}, {1}, {1}};
  return grid;
}

template <class T>
void copy_row(const T* source, int64_t source_stride, T* destination, int64_t destination_stride,
              int64_t count) {
  if (source_stride == 1 && destination_stride == 1) {
    std::memcpy(destination, source, static_cast<size_t>(count) * sizeof(T));
    return;
  }
  for (int64_t i = 0; i < count; ++i) destination[i * destination_stride] = source[i * source_stride];
}

template <class T>
void copy_grid(const Grid& grid, const T* source, T* destination) {
  const int64_t inner = grid.sizes.back();
  const size_t outer_rank = grid.sizes.size() - 1;
  int64_t outer = 1;
  for (size_t d = 0; d < outer_rank; ++d) outer *= grid.sizes[d];
  const auto row = [&](int64_t index, int64_t begin, int64_t end) {
    int64_t from = begin * grid.from.back(), to = begin * grid.to.back();
    for (size_t d = outer_rank; d-- > 0; index /= grid.sizes[d]) {
      from += index % grid.sizes[d] * grid.from[d];
      to += index % grid.sizes[d] * grid.to[d];
    }
    copy_row(source + from, grid.from.back(), destination + to, grid.to.back(), end - begin);
  };
  if (outer == 1) {
    parallel_for(inner, copy_grain, [&](int64_t begin, int64_t end) { row(0, begin, end); });
    return;
  }
  parallel_for(outer, std::max<int64_t>(1, copy_grain / inner), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) row(i, 0, inner);
  });
}

}  // namespace

std::vector<int64_t> dense_strides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

void copy_strided(DType dtype, const Shape& sizes, const void* source, const Strided& from, void* destination,
                  const Strided& to) {
  if (element_count(sizes) == 0) return;
  const Grid grid = merged(sizes, from, to);
  dispatch_bytes(dtype, [&]<class T>(Type<T>) {
    copy_grid(grid, static_cast<const T*>(source) + from.offset, static_cast<T*>(destination) + to.offset);
  });
}

MappedCopy::MappedCopy(DType dtype, const Shape& input, std::vector<AxisMap> maps)
    : dtype_(dtype), maps_(std::move(maps)), strides_(dense_strides(input)) {}

void MappedCopy::run(const void* input, const void* fill, void* output) const {
  const size_t rank = maps_.size();
  const int64_t inner = rank ? static_cast<int64_t>(maps_[rank - 1].size()) : 1;
  int64_t rows = inner == 0 ? 0 : 1;
  for (size_t d = 0; d + 1 < rank; ++d) rows *= static_cast<int64_t>(maps_[d].size());
  if (rows == 0) return;
  dispatch_bytes(dtype_, [&]<class T>(Type<T>) {
    const T* source = static_cast<const T*>(input);
    T* destination = static_cast<T*>(output);
    T filling{};
    if (fill) std::memcpy(&filling, fill, sizeof filling);
    const auto copy_inner = [&](int64_t row) {
      T* out = destination + row * inner;
      int64_t offset = 0;
      bool outside = false;
      for (size_t d = rank > 0 ? rank - 1 : 0, rest = static_cast<size_t>(row); d-- > 0;) {
        const size_t size = maps_[d].size();
        const int64_t index = maps_[d][rest % size];
        rest /= size;
        outside = outside || index < 0;
        offset += index * strides_[d];
      }
      for (int64_t i = 0; i < inner; ++i) {
        const int64_t index = rank ? maps_[rank - 1][static_cast<size_t>(i)] : 0;
        out[i] = outside || index < 0 ? filling : source[offset + index];
      }
    };
    parallel_for(rows, std::max<int64_t>(1, copy_grain / inner), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) copy_inner(row);
    });
  });
}

}  // namespace burnish::ops
