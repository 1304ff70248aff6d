#include "backends/cpu/strided_copy.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/physical_view.h"
#include "base/dispatch.h"
#include "base/parallel.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain_bytes = 64 << 10;  ///< that are worth a thread

template <class T>
void copy_row(const char* source, int64_t from, char* destination, int64_t to, int64_t count) {
  const T* in = reinterpret_cast<const T*>(source);
  T* out = reinterpret_cast<T*>(destination);
  if (to == 1 && from == 0)
    std::fill_n(out, count, *in);
  else
    for (int64_t i = 0; i < count; ++i) out[i * to] = in[i * from];
}

void copy_row(int64_t bytes, const char* source, int64_t from, char* destination, int64_t to, int64_t count) {
  if (from == 1 && to == 1) {
    std::memcpy(destination, source, static_cast<size_t>(count * bytes));
    return;
  }
  switch (bytes) {
    case 1:
      return copy_row<uint8_t>(source, from, destination, to, count);
    case 2:
      return copy_row<uint16_t>(source, from, destination, to, count);
    case 4:
      return copy_row<uint32_t>(source, from, destination, to, count);
    default:
      return copy_row<uint64_t>(source, from, destination, to, count);
  }
}

}  // namespace

StridedCopy::StridedCopy(int64_t element_bytes, Shape sizes, std::vector<int64_t> from,
                         std::vector<int64_t> to)
    : bytes_(element_bytes), sizes_(std::move(sizes)), from_(std::move(from)), to_(std::move(to)) {
  const auto take = [&](size_t d, int64_t& size, int64_t& source, int64_t& destination) {
    size = sizes_[d], source = from_[d], destination = to_[d];
    for (auto* list : {&sizes_, &from_, &to_}) list->erase(list->begin() + static_cast<std::ptrdiff_t>(d));
  };
  merge_dimensions(sizes_, {&from_, &to_});
  // Columns: what is nearest in the destination. Rows: what is nearest in the source among the rest.
  const auto nearest = [&](const std::vector<int64_t>& strides) {
    size_t best = sizes_.size();
    for (size_t d = 0; d < sizes_.size(); ++d)
      if (strides[d] != 0 && (best == sizes_.size() || std::abs(strides[d]) < std::abs(strides[best])))
        best = d;
    return best;
  };
  if (const size_t d = nearest(to_); d < sizes_.size()) take(d, columns_, column_from_, column_to_);
  if (const size_t d = nearest(from_); d < sizes_.size()) take(d, rows_, row_from_, row_to_);
  for (int64_t size : sizes_) outer_ *= size;
}

void StridedCopy::copy_plane(const char* source, char* destination, int64_t begin, int64_t end) const {
  source += begin * row_from_ * bytes_;
  destination += begin * row_to_ * bytes_;
  if (row_from_ == 1 && column_to_ == 1 && column_from_ != 1) {
    transpose_plane(bytes_, source, column_from_, destination, row_to_, end - begin, columns_);
    return;
  }
  for (int64_t row = begin; row < end; ++row) {
    copy_row(bytes_, source, column_from_, destination, column_to_, columns_);
    source += row_from_ * bytes_;
    destination += row_to_ * bytes_;
  }
}

void StridedCopy::run(const void* source, void* destination) const {
  const int64_t total = outer_ * rows_;
  if (total * columns_ == 0) return;
  const int64_t grain = std::max<int64_t>(1, grain_bytes / (columns_ * bytes_));
  if (total == 1) {  // one row: split it
    parallel_for(columns_, grain_bytes / bytes_, [&](int64_t begin, int64_t end) {
      copy_row(bytes_, static_cast<const char*>(source) + begin * column_from_ * bytes_, column_from_,
               static_cast<char*>(destination) + begin * column_to_ * bytes_, column_to_, end - begin);
    });
    return;
  }
  parallel_for(total, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t plane = begin / rows_, row = begin % rows_, count = std::min(end - begin, rows_ - row);
      int64_t from = 0, to = 0, rest = plane;
      for (size_t d = sizes_.size(); d-- > 0; rest /= sizes_[d]) {
        from += rest % sizes_[d] * from_[d];
        to += rest % sizes_[d] * to_[d];
      }
      copy_plane(static_cast<const char*>(source) + from * bytes_,
                 static_cast<char*>(destination) + to * bytes_, row, row + count);
      begin += count;
    }
  });
}

}  // namespace burnish::cpu
