#include "cuda/module.h"

#include <algorithm>
#include <vector>

namespace burnish::cuda {

std::shared_ptr<Module> Module::of(CudaDevice& device, const std::string& cubin) {
  LoadedModules& loaded = device.loaded_modules();
  const std::lock_guard lock(loaded.mutex);
  std::weak_ptr<Module>& known = loaded.by_code[cubin];
  std::shared_ptr<Module> module = known.lock();
  if (module) return module;
  const auto forget = [&loaded, cubin](Module* last) {
    delete last;
    const std::lock_guard lock(loaded.mutex);
    const auto found = loaded.by_code.find(cubin);
    if (found != loaded.by_code.end() && found->second.expired()) loaded.by_code.erase(found);
  };
  module.reset(new Module(device, cubin), forget);
  known = module;
  return module;
}

Module::Module(CudaDevice& device, const std::string& cubin) : device_(device) {
  const ContextScope scope(device.context());
  device.check(driver().cuModuleLoadData(&module_, cubin.data()), "cuModuleLoadData");
}

Module::~Module() {
  const ContextScope scope(device_.context());
  driver().cuModuleUnload(module_);
}

CUfunction Module::function(const std::string& name, size_t shared_bytes) {
  const std::lock_guard lock(mutex_);
  const ContextScope scope(device_.context());
  Function& function = functions_[name];
  if (!function.handle)
    device_.check(driver().cuModuleGetFunction(&function.handle, module_, name.c_str()),
                  "cuModuleGetFunction");
  constexpr size_t always_allowed = 40 << 10;  // 48 KiB with what the kernel declares by itself
  if (shared_bytes > std::max(always_allowed, function.shared_bytes)) {
    device_.check(
        driver().cuFuncSetAttribute(function.handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                    static_cast<int>(shared_bytes)),
        "cuFuncSetAttribute");
    function.shared_bytes = shared_bytes;
  }
  return function.handle;
}

void Module::load_functions() {
  const std::lock_guard lock(mutex_);
  if (all_loaded_ || !driver().cuFuncLoad) return;
  const ContextScope scope(device_.context());
  unsigned count = 0;
  device_.check(driver().cuModuleGetFunctionCount(&count, module_), "cuModuleGetFunctionCount");
  std::vector<CUfunction> functions(count);
  device_.check(driver().cuModuleEnumerateFunctions(functions.data(), count, module_),
                "cuModuleEnumerateFunctions");
  for (CUfunction function : functions) device_.check(driver().cuFuncLoad(function), "cuFuncLoad");
  all_loaded_ = true;
}

}  // namespace burnish::cuda
