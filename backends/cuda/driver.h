// NVIDIA's driver interface, opened at run time.
#pragma once

#include <cuda.h>

#include <string>

#include "base/error.h"

namespace burnish::cuda {

/// Every function of the driver that this backend calls.
#define BURNISH_DRIVER_FUNCTIONS(X)                                                                         \
  X(cuInit)                                                                                                 \
  X(cuDriverGetVersion) X(cuGetErrorName) X(cuGetErrorString) X(cuDeviceGet) X(cuDeviceGetCount)            \
      X(cuDeviceGetName) X(cuDeviceGetAttribute) X(cuDeviceTotalMem) X(cuDevicePrimaryCtxRetain)            \
          X(cuDevicePrimaryCtxRelease) X(cuCtxPushCurrent) X(cuCtxPopCurrent) X(cuCtxGetCurrent)            \
              X(cuCtxSetCurrent) X(cuCtxSynchronize) X(cuMemAlloc) X(cuMemFree) X(cuMemGetInfo)             \
                  X(cuMemcpyAsync) X(cuMemsetD8Async) X(cuStreamCreate) X(cuStreamDestroy)                  \
                      X(cuStreamSynchronize) X(cuStreamWaitEvent) X(cuStreamBeginCapture)                   \
                          X(cuStreamEndCapture) X(cuStreamIsCapturing) X(cuGraphInstantiateWithFlags)       \
                              X(cuGraphLaunch) X(cuGraphExecDestroy) X(cuGraphDestroy) X(cuGraphGetNodes)   \
                                  X(cuGraphNodeGetType) X(cuGraphUpload) X(cuEventCreate) X(cuEventDestroy) \
                                      X(cuEventRecord) X(cuEventSynchronize) X(cuEventElapsedTime)          \
                                          X(cuModuleLoadData) X(cuModuleUnload) X(cuModuleGetFunction)      \
                                              X(cuFuncSetAttribute) X(cuFuncGetAttribute)                   \
                                                  X(cuLaunchKernelEx) X(cuTensorMapEncodeTiled)             \
                                                      X(cuOccupancyMaxActiveClusters)

struct Driver {
#define BURNISH_FIELD(NAME) decltype(&::NAME) NAME = nullptr;
  BURNISH_DRIVER_FUNCTIONS(BURNISH_FIELD)
#undef BURNISH_FIELD
  // Of drivers for CUDA 12.4 and newer, else null.
  CUresult (*cuModuleGetFunctionCount)(unsigned*, CUmodule) = nullptr;
  CUresult (*cuModuleEnumerateFunctions)(CUfunction*, unsigned, CUmodule) = nullptr;
  CUresult (*cuFuncLoad)(CUfunction) = nullptr;
  int version = 0;  ///< the newest CUDA that it serves: 13000 for 13.0
};

/// The driver, opened and initialised at the first call. Throws Error saying why there is none or that it is
/// too old.
const Driver& driver();

/// "CUDA_ERROR_OUT_OF_MEMORY (out of memory)".
std::string error_text(CUresult result);
/// True for errors after which nothing works any more on the context: a kernel went wrong.
bool is_sticky(CUresult result);

/// Throws Error naming `what` unless the call went well. For calls that belong to no device; see
/// CudaDevice::check.
inline void check_driver(CUresult result, const char* what) {
  require(result == CUDA_SUCCESS, "{}: {}", what, error_text(result));
}

}  // namespace burnish::cuda
