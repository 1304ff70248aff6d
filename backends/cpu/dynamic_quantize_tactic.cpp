// dynamic_quantize_linear: the range of a tensor, then its elements in eight bits.
#include <algorithm>
#include <cmath>
#include <mutex>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/quantize_kernels.h"
#include "backends/cpu/simd_tactics.h"
#include "base/parallel.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain = 8 << 10;  ///< elements that are worth a thread

/// Writes the bytes, the scale and the zero point; the last two where they are wanted.
void quantize(const float* x, int64_t count, uint8_t* y, float* scale_to, uint8_t* zero_to) {
  float low = 0, high = 0;  // zero itself must be exact
  std::mutex mutex;
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    float part_low = 0, part_high = 0;
    quantize_kernels().range(x + begin, end - begin, part_low, part_high);
    const std::lock_guard lock(mutex);
    low = std::min(low, part_low), high = std::max(high, part_high);
  });
  const float scale = high > low ? (high - low) / 255 : 1;
  const float zero_point = std::nearbyint(-low / scale);
  const auto zero = static_cast<uint8_t>(std::isnan(zero_point) ? 0 : std::clamp(zero_point, 0.0f, 255.0f));
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    quantize_kernels().to_bytes(x + begin, end - begin, scale, zero, y + begin);
  });
  if (scale_to) *scale_to = scale;
  if (zero_to) *zero_to = zero;
}

class DynamicQuantizeTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.dynamic_quantize"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (!problem.single(ops::def::dynamic_quantize_linear)) return Support::no("no dynamic quantisation");
    if (problem.input_count() != 1 || problem.is_weight(0)) return Support::no("the input is no activation");
    return only_plain(problem);
  }

  std::unique_ptr<device::Kernel> load(const device::Problem&, const device::Candidate&, const std::string&,
                                       device::Device&) const override {
    return kernel_function([](const device::BindArguments& bound) {
      const int64_t count = element_count(bound.inputs[0].shape);
      return bound_function([count](const device::Arguments& arguments) {
        const auto output = [&](size_t i) {
          return arguments.outputs.size() > i ? arguments.outputs[i] : nullptr;
        };
        quantize(static_cast<const float*>(arguments.inputs[0]), count, static_cast<uint8_t*>(output(0)),
                 static_cast<float*>(output(1)), static_cast<uint8_t*>(output(2)));
      });
    });
  }
};

}  // namespace

const device::Tactic& dynamic_quantize_tactic() {
  static const DynamicQuantizeTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
