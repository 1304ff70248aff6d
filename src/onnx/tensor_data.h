// From TensorProto to Tensor: raw, typed and external data.
#pragma once

#include <burnish/tensor.h>

#include <map>

#include "base/mapped_file.h"
#include "onnx/proto.h"

namespace burnish::onnx {

/// Where a model's tensors come from: the bytes of the model itself and the files beside it.
class TensorSource {
 public:
  /// `file` is what the protos view, null where they view other memory; `folder` is the model's, empty when it has none.
  /// `external` stands for files of external data, by location.
  TensorSource(std::shared_ptr<const MappedFile> file, std::string folder,
               std::map<std::string, Tensor> external = {})
      : file_(std::move(file)), folder_(std::move(folder)), external_(external.begin(), external.end()) {}

  /// A view of the mapped bytes where they are aligned for their type, else a copy (the file's pages then take
  /// memory no longer); four-bit integers are unpacked. Throws Error that names the tensor when data, type and shape do not agree. A proto is read
  /// once, however often its function or body is imported.
  Tensor read(const TensorProto& proto);
  /// The same, made dense.
  Tensor read(const SparseTensorProto& proto);

 private:
  Tensor decode(const TensorProto& proto);
  /// Bytes and who owns them; `file` where that is a file.
  struct Source {
    std::string_view bytes;
    std::shared_ptr<const void> owner;
    const MappedFile* file = nullptr;
  };
  static Tensor from_bytes(DType dtype, const Shape& shape, const Source& source);
  Source external_bytes(const TensorProto& proto);
  Source external_file(std::string_view location);

  std::shared_ptr<const MappedFile> file_;
  std::string folder_;
  std::map<std::string, Tensor, std::less<>> external_;
  std::map<std::pair<const char*, size_t>, Tensor> read_;  // by the proto's place in memory
  std::map<std::string, std::shared_ptr<const MappedFile>, std::less<>> files_;  // by location
};

}  // namespace burnish::onnx
