#include "exchange.h"

namespace nb = nanobind;

namespace burnish::python {

const ExchangeApi* exchange_api(nb::handle type) {
  const nb::object capsule = nb::getattr(type, "__dlpack_c_exchange_api__", nb::none());
  if (!PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api")) return nullptr;
  const auto* api =
      static_cast<const ExchangeApi*>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  while (api && api->version.major > 1) api = api->older;
  return api && api->version.major == 1 && api->view ? api : nullptr;
}

}  // namespace burnish::python
