// Times work on the GPU by events around replays of a CUDA graph.
#pragma once

#include "cuda/device.h"

namespace burnish::cuda {

/// Median microseconds of one enqueue(stream, i), i running through 0 ... rotate - 1. The calls are captured
/// into one graph of repeats, so launches cost what they do in a session; what cannot be captured is timed
/// call by call.
double measure_on_gpu(CudaDevice& device, const std::function<void(device::Stream&, int)>& enqueue,
                      int rotate, double budget_us);

}  // namespace burnish::cuda
