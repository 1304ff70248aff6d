#include "onnx/tensor_data.h"

#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/dispatch.h"
#include "onnx/fields.h"

namespace burnish::onnx {
namespace {

bool is_four_bit(DType dtype) { return dtype == DType::i4 || dtype == DType::u4; }

int64_t packed_bytes(DType dtype, int64_t count) {
  return is_four_bit(dtype) ? count / 2 + count % 2 : count * dtype_bytes(dtype);
}

/// Two to a byte, the first in the low half, as ONNX packs them.
Tensor unpack_four_bit(DType dtype, const Shape& shape, const uint8_t* packed) {
  Tensor tensor(dtype, shape);
  uint8_t* out = static_cast<uint8_t*>(tensor.raw());
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const uint8_t nibble = i % 2 == 0 ? packed[i / 2] & 15 : packed[i / 2] >> 4;
    out[i] = dtype == DType::i4 ? static_cast<uint8_t>(Int4(nibble).value) : nibble;
  }
  return tensor;
}

/// A bool that is neither 0 nor 1 in memory is undefined behaviour to read.
bool is_clean(DType dtype, std::string_view bytes) {
  if (dtype != DType::boolean) return true;
  for (char byte : bytes)
    if (byte != 0 && byte != 1) return false;
  return true;
}

void check_size(DType dtype, const Shape& shape, std::string_view bytes) {
  const int64_t wanted = packed_bytes(dtype, element_count(shape));
  require(static_cast<int64_t>(bytes.size()) == wanted, "its data has {} bytes, but {} of shape {} takes {}",
          bytes.size(), dtype_name(dtype), shape_text(shape), wanted);
}

Tensor four_bit(DType dtype, const Shape& shape, std::string_view bytes) {
  check_size(dtype, shape, bytes);
  return unpack_four_bit(dtype, shape, reinterpret_cast<const uint8_t*>(bytes.data()));
}

/// The numbers of field `tag`, one after the other, whether packed or not.
template <class T>
std::vector<T> typed_field(std::string_view message, uint32_t tag) {
  std::vector<T> values;
  for (Fields fields(message, "TensorProto"); fields.next();) {
    if (fields.tag() != tag)
      fields.skip();
    else if constexpr (std::is_floating_point_v<T>)
      fields.numbers(values);
    else
      fields.integers(values);
  }
  return values;
}

template <class T, class Stored>
Tensor converted(DType dtype, const Shape& shape, const std::vector<Stored>& values) {
  const int64_t count = element_count(shape);
  require(static_cast<int64_t>(values.size()) == count, "it has {} values, but shape {} takes {}",
          values.size(), shape_text(shape), count);
  Tensor tensor(dtype, shape);
  T* out = static_cast<T*>(tensor.raw());
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(values[static_cast<size_t>(i)]);
  return tensor;
}

Tensor from_typed_fields(DType dtype, const Shape& shape, std::string_view message) {
  constexpr uint32_t float_data = 4, int32_data = 5, int64_data = 7, double_data = 10, uint64_data = 11;
  switch (dtype) {
    case DType::f32:
      return converted<float>(dtype, shape, typed_field<float>(message, float_data));
    case DType::f64:
      return converted<double>(dtype, shape, typed_field<double>(message, double_data));
    case DType::i64:
      return converted<int64_t>(dtype, shape, typed_field<int64_t>(message, int64_data));
    case DType::u64:
      return converted<uint64_t>(dtype, shape, typed_field<uint64_t>(message, uint64_data));
    case DType::u32:
      return converted<uint32_t>(dtype, shape, typed_field<uint64_t>(message, uint64_data));
    default:
      break;
  }
  const std::vector<int32_t> values = typed_field<int32_t>(message, int32_data);
  if (is_four_bit(dtype)) {
    const std::vector<uint8_t> packed(values.begin(), values.end());
    return four_bit(dtype, shape, {reinterpret_cast<const char*>(packed.data()), packed.size()});
  }
  if (dtype == DType::boolean) return converted<bool>(dtype, shape, values);
  switch (dtype_bytes(dtype)) {  // the bit patterns, of narrow floats too
    case 1:
      return converted<uint8_t>(dtype, shape, values);
    case 2:
      return converted<uint16_t>(dtype, shape, values);
    default:
      return converted<int32_t>(dtype, shape, values);
  }
}

int64_t parse_count(std::string_view key, std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 0,
          "its external data's {} is '{}', not a byte count", key, text);
  return value;
}

/// The file that `location` names inside `folder`; throws Error when it leads out of it, by .. or by a link.
std::string external_path(const std::string& folder, std::string_view location) {
  namespace fs = std::filesystem;
  const fs::path relative(location);
  require(!location.empty() && location.find('\0') == std::string_view::npos && relative.is_relative(),
          "its external data lies at '{}': it must be a path relative to the model's folder", location);
  for (const fs::path& part : relative)
    require(part != "..", "its external data lies at '{}', outside the model's folder", location);
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  require(!error, "the model's folder '{}' cannot be read: {}", folder, error.message());
  const fs::path file = fs::canonical(root / relative, error);
  require(!error, "its external data '{}' cannot be read: {}", location, error.message());
  const auto [end, unused] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
  require(end == root.end(), "its external data '{}' is a link that leads outside the model's folder",
          location);
  return file.string();
}

}  // namespace

Tensor TensorSource::from_bytes(DType dtype, const Shape& shape, const Source& source) {
  const std::string_view bytes = source.bytes;
  if (is_four_bit(dtype)) return four_bit(dtype, shape, bytes);
  check_size(dtype, shape, bytes);
  const bool aligned =
      reinterpret_cast<uintptr_t>(bytes.data()) % static_cast<uintptr_t>(dtype_bytes(dtype)) == 0;
  if (aligned && source.owner && is_clean(dtype, bytes))
    return Tensor::view(dtype, shape, const_cast<char*>(bytes.data()), source.owner);
  Tensor tensor(dtype, shape);
  if (!bytes.empty()) std::memcpy(tensor.raw(), bytes.data(), bytes.size());
  if (source.file) source.file->forget(bytes);
  if (dtype == DType::boolean)
    for (uint8_t *at = static_cast<uint8_t*>(tensor.raw()), *end = at + tensor.size(); at != end; ++at)
      *at = *at != 0;
  return tensor;
}

TensorSource::Source TensorSource::external_file(std::string_view location) {
  if (const auto given = external_.find(location); given != external_.end()) {
    const Tensor& data = given->second;
    return {{static_cast<const char*>(data.raw()), static_cast<size_t>(data.bytes())}, data.owner()};
  }
  require(!folder_.empty(), "it has external data, but the model was given without a folder to look in");
  auto found = files_.find(location);
  if (found == files_.end())
    found = files_.emplace(location, MappedFile::open(external_path(folder_, location))).first;
  return {found->second->bytes(), found->second, found->second.get()};
}

TensorSource::Source TensorSource::external_bytes(const TensorProto& proto) {
  std::string_view location;
  int64_t offset = 0;
  std::optional<int64_t> length;
  for (const StringEntry& entry : proto.external_data) {
    if (entry.key == "location")
      location = entry.value;
    else if (entry.key == "offset")
      offset = parse_count(entry.key, entry.value);
    else if (entry.key == "length")
      length = parse_count(entry.key, entry.value);
  }
  Source source = external_file(location);
  const int64_t size = static_cast<int64_t>(source.bytes.size());
  require(offset <= size && (!length || *length <= size - offset),
          "its external data (offset {}, length {}) lies beyond the {} bytes of '{}'", offset,
          length.value_or(size), size, location);
  source.bytes = source.bytes.substr(static_cast<size_t>(offset), static_cast<size_t>(length.value_or(size - offset)));
  return source;
}

Tensor TensorSource::decode(const TensorProto& proto) {
  return with_context([&] { return fmt::format("tensor '{}'", proto.name); },
                      [&] {
                        const DType dtype = needed_dtype(proto.data_type, "its data");
                        const Shape shape(proto.dims.begin(), proto.dims.end());
                        require(shape.size() <= 64, "it has {} dimensions; 64 are the most", shape.size());
                        const int64_t count = element_count(shape);
                        require(count < int64_t{1} << 56, "shape {} has too many elements",
                                shape_text(shape));
                        if (proto.is_external) {
                          Source source = external_bytes(proto);
                          bool has_length = false;
                          for (const StringEntry& entry : proto.external_data)
                            has_length = has_length || entry.key == "length";
                          if (!has_length)
                            source.bytes = source.bytes.substr(0, static_cast<size_t>(packed_bytes(dtype, count)));
                          return from_bytes(dtype, shape, source);
                        }
                        if (proto.raw_data) return from_bytes(dtype, shape, {*proto.raw_data, file_, file_.get()});
                        try {
                          return from_typed_fields(dtype, shape, proto.message);
                        } catch (const protozero::exception& error) {
                          fail("its data is damaged ({})", error.what());
                        }
                      });
}

Tensor TensorSource::read(const TensorProto& proto) {
  if (const auto found = read_.find({proto.message.data(), proto.message.size()}); found != read_.end()) return found->second;
  return read_[{proto.message.data(), proto.message.size()}] = decode(proto);
}

Tensor TensorSource::read(const SparseTensorProto& proto) {
  const Tensor values = read(proto.values), indices = read(proto.indices);
  return with_context(
      [&] { return fmt::format("sparse tensor '{}'", proto.values.name); },
      [&] {
        const Shape shape(proto.dims.begin(), proto.dims.end());
        const int64_t rank = static_cast<int64_t>(shape.size()), count = element_count(shape);
        constexpr int64_t largest = int64_t{1} << 26;
        require(rank <= 64 && count <= largest, "made dense, shape {} would have more than {} elements",
                shape_text(shape), largest);
        require(values.rank() == 1 && (indices.rank() == 1 || indices.rank() == 2) &&
                    indices.dtype() == DType::i64,
                "values must have one dimension, indices (int64) one or two");
        const int64_t given = values.size();
        require(indices.size() == (indices.rank() == 1 ? given : given * rank),
                "{} indices do not fit {} values", indices.size(), given);
        Tensor dense(values.dtype(), shape);
        std::memset(dense.raw(), 0, static_cast<size_t>(dense.bytes()));
        const int64_t width = dtype_bytes(values.dtype());
        for (int64_t i = 0; i < given; ++i) {
          int64_t at = indices.rank() == 1 ? indices.data<int64_t>()[i] : 0;
          for (int64_t d = 0; indices.rank() == 2 && d < rank; ++d) {
            const int64_t index = indices.data<int64_t>()[i * rank + d];
            require(index >= 0 && index < shape[static_cast<size_t>(d)], "index {} is outside shape {}",
                    index, shape_text(shape));
            at = at * shape[static_cast<size_t>(d)] + index;
          }
          require(at >= 0 && at < count, "index {} is outside shape {}", at, shape_text(shape));
          std::memcpy(static_cast<char*>(dense.raw()) + at * width,
                      static_cast<const char*>(values.raw()) + i * width, static_cast<size_t>(width));
        }
        return dense;
      });
}

}  // namespace burnish::onnx
