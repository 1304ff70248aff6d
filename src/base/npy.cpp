#include "base/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>

#include "base/dispatch.h"
#include "base/mapped_file.h"

namespace burnish {
namespace {

constexpr std::string_view magic = "\x93NUMPY";

std::string descriptor(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::f64:
      return "<f8";
    case DType::f16:
      return "<f2";
    case DType::i8:
      return "|i1";
    case DType::u8:
      return "|u1";
    case DType::i16:
      return "<i2";
    case DType::u16:
      return "<u2";
    case DType::i32:
      return "<i4";
    case DType::u32:
      return "<u4";
    case DType::i64:
      return "<i8";
    case DType::u64:
      return "<u8";
    case DType::boolean:
      return "|b1";
    default:
      return "";
  }
}

/// The text behind `'key':` in the header's Python dict.
std::string_view field(std::string_view header, std::string_view key) {
  const size_t at = header.find(fmt::format("'{}'", key));
  require(at != std::string_view::npos, "its header has no '{}'", key);
  const size_t colon = header.find(':', at);
  require(colon != std::string_view::npos, "its header is damaged");
  const size_t start = header.find_first_not_of(' ', colon + 1);
  require(start != std::string_view::npos, "its header is damaged");
  return header.substr(start);
}

Shape parse_shape(std::string_view text) {
  require(!text.empty() && text[0] == '(', "its shape is damaged");
  Shape shape;
  const char* at = text.data() + 1;
  const char* const end = text.data() + text.size();
  while (at < end && *at != ')') {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    int64_t dim = 0;
    const auto [next, error] = std::from_chars(at, end, dim);
    require(error == std::errc() && dim >= 0 && shape.size() < 64, "its shape is damaged");
    shape.push_back(dim);
    at = next;
  }
  require(at < end, "its shape is damaged");
  return shape;
}

void swap_bytes(Tensor& tensor) {
  const int64_t width = dtype_bytes(tensor.dtype());
  char* data = static_cast<char*>(tensor.raw());
  for (int64_t i = 0; i < tensor.size(); ++i) std::reverse(data + i * width, data + (i + 1) * width);
}

Tensor from_column_major(const Tensor& source) {
  Tensor tensor(source.dtype(), source.shape());
  const Shape& shape = source.shape();
  dispatch_bytes(source.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T* in = static_cast<const T*>(source.raw());
    T* out = static_cast<T*>(tensor.raw());
    for (int64_t i = 0; i < source.size(); ++i) {  // i counts with the first axis fastest
      int64_t rest = i, at = 0, stride = source.size();
      for (int64_t dim : shape) {
        stride /= dim;
        at += rest % dim * stride;
        rest /= dim;
      }
      out[at] = in[i];
    }
  });
  return tensor;
}

Tensor parse(std::string_view bytes) {
  require(bytes.size() >= 12 && bytes.starts_with(magic), "it is not a .npy file");
  const int version = static_cast<unsigned char>(bytes[6]);
  require(version >= 1 && version <= 3, "its format version {} is not known", version);
  const size_t width = version == 1 ? 2 : 4;
  size_t length = 0;
  for (size_t i = 0; i < width; ++i)
    length |= static_cast<size_t>(static_cast<unsigned char>(bytes[8 + i])) << (8 * i);
  require(length <= bytes.size() - 8 - width, "it is cut short");
  const std::string_view header = bytes.substr(8 + width, length), data = bytes.substr(8 + width + length);

  const std::string_view type = field(header, "descr");
  require(type.size() >= 5 && (type[0] == '\'' || type[0] == '"'), "its element type is not a plain one");
  const auto dtype = parse_dtype([&]() -> std::string {
    for (int i = 0; i < dtype_count; ++i)
      if (const std::string known = descriptor(static_cast<DType>(i));
          !known.empty() && type.substr(2, 2) == known.substr(1))
        return std::string(dtype_name(static_cast<DType>(i)));
    return "";
  }());
  require(dtype.has_value(), "its element type {} is not supported", type.substr(0, 6));
  const Shape shape = parse_shape(field(header, "shape"));
  require(element_count(shape) <= static_cast<int64_t>(data.size()) &&
              element_count(shape) * dtype_bytes(*dtype) <= static_cast<int64_t>(data.size()),
          "it is cut short");
  Tensor tensor(*dtype, shape);
  if (tensor.bytes() > 0) std::memcpy(tensor.raw(), data.data(), static_cast<size_t>(tensor.bytes()));
  if (type[1] == '>') swap_bytes(tensor);
  return field(header, "fortran_order").starts_with("True") && tensor.size() > 0 ? from_column_major(tensor)
                                                                                 : tensor;
}

/// The tensor in the nearest type that NumPy has.
Tensor widened(const Tensor& tensor) {
  if (!descriptor(tensor.dtype()).empty()) return tensor;
  const DType wide = is_floating(tensor.dtype())   ? DType::f32
                     : tensor.dtype() == DType::u4 ? DType::u8
                                                   : DType::i8;
  if (wide != DType::f32)
    return Tensor::view(wide, tensor.shape(), const_cast<void*>(tensor.raw()), tensor.owner());
  Tensor copy(wide, tensor.shape());
  dispatch(Types<BFloat16, Float8E4M3, Float8E5M2>{}, tensor.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    std::copy_n(tensor.data<T>(), tensor.size(), copy.data<float>());
  });
  return copy;
}

}  // namespace

Tensor read_npy(const std::string& path) {
  return with_context([&] { return fmt::format("file '{}'", path); },
                      [&] { return parse(MappedFile::open(path)->bytes()); });
}

void write_npy(const std::string& path, const Tensor& tensor) {
  const Tensor data = widened(tensor);
  std::string shape;
  for (int64_t dim : data.shape()) shape += std::to_string(dim) + ",";
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                   descriptor(data.dtype()), shape);
  constexpr size_t fixed = 10;  // magic, version, length
  header.append(64 - (fixed + header.size() + 1) % 64, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file << magic << '\x01' << '\0' << static_cast<char>(header.size() & 255)
       << static_cast<char>(header.size() >> 8) << header;
  file.write(static_cast<const char*>(data.raw()), data.bytes());
  file.close();
  require(static_cast<bool>(file), "cannot write '{}'", path);
}

}  // namespace burnish
