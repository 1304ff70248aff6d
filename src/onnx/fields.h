// Reading protobuf fields with every mistake turned into an Error.
#pragma once

#include <protozero/pbf_reader.hpp>

#include <string_view>
#include <vector>

#include "base/error.h"

namespace burnish::onnx {

/// The fields of one message, in order. protozero checks lengths; this adds the check of wire types, which
/// protozero only asserts.
class Fields {
 public:
  Fields(std::string_view message, std::string_view what)
      : reader_(message.data(), message.size()), what_(what) {}

  bool next() { return reader_.next(); }
  uint32_t tag() const { return reader_.tag(); }
  void skip() { reader_.skip(); }

  std::string_view bytes() {
    check(protozero::pbf_wire_type::length_delimited);
    const protozero::data_view view = reader_.get_view();
    return {view.data(), view.size()};
  }
  int64_t integer() {
    check(protozero::pbf_wire_type::varint);
    return reader_.get_int64();
  }
  float number() {
    check(protozero::pbf_wire_type::fixed32);
    return reader_.get_float();
  }

  /// Appends one value of a repeated field of varints, or a packed run of them.
  template <class T>
  void integers(std::vector<T>& into) {
    if (reader_.wire_type() != protozero::pbf_wire_type::length_delimited) {
      into.push_back(static_cast<T>(integer()));
      return;
    }
    for (int64_t value : reader_.get_packed_int64()) into.push_back(static_cast<T>(value));
  }
  /// The same for float and double.
  template <class T>
  void numbers(std::vector<T>& into) {
    if (reader_.wire_type() == protozero::pbf_wire_type::length_delimited) {
      if constexpr (sizeof(T) == 4)
        append(into, reader_.get_packed_float());
      else
        append(into, reader_.get_packed_double());
    } else if constexpr (sizeof(T) == 4) {
      check(protozero::pbf_wire_type::fixed32);
      into.push_back(reader_.get_float());
    } else {
      check(protozero::pbf_wire_type::fixed64);
      into.push_back(reader_.get_double());
    }
  }

 private:
  template <class T, class Range>
  static void append(std::vector<T>& into, const Range& range) {
    into.insert(into.end(), range.begin(), range.end());
  }
  void check(protozero::pbf_wire_type wanted) const {
    require(reader_.wire_type() == wanted, "field {} of {} has another wire type than ONNX gives it", tag(),
            what_);
  }

  protozero::pbf_reader reader_;
  std::string_view what_;
};

}  // namespace burnish::onnx
