// DLPack's exchange of tensors by C functions instead of Python calls: what PyTorch's tensors offer as the
// attribute
// __dlpack_c_exchange_api__ of their type. Layouts and contracts: DLPack 1.2, "C Exchange API".
#pragma once

#include <nanobind/ndarray.h>

namespace burnish::python {

using DlTensor = nanobind::dlpack::dltensor;

struct DlVersion {
  uint32_t major = 1, minor = 2;
};

/// A tensor with its owner; whoever holds it calls `deleter` once.
struct DlManaged {
  DlVersion version;
  void* context = nullptr;
  void (*deleter)(DlManaged*) = nullptr;
  uint64_t flags = 0;
  DlTensor tensor;
};

/// The producer's functions. Each gives 0, or -1 with a Python exception set (the allocator: by `set_error`).
struct ExchangeApi {
  DlVersion version;
  ExchangeApi* older;  ///< of a smaller major version
  int (*allocate)(DlTensor* like, DlManaged** made, void* error,
                  void (*set_error)(void*, const char*, const char*));
  int (*from_python)(void* object, DlManaged** made);
  int (*to_python)(DlManaged* tensor, void** object);  ///< takes the tensor over
  int (*view)(void* object, DlTensor* seen);           ///< valid while the object is left alone; may be null
  int (*current_stream)(int32_t device_type, int32_t device_index, void** stream);
};

/// The functions of a type of tensors; null where it offers none, or an older version.
const ExchangeApi* exchange_api(nanobind::handle type);

}  // namespace burnish::python
