#include "tune/sample.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>

#include "fake_device.h"
#include "ops/evaluate.h"
#include "tune/oracle.h"

namespace burnish::tune {
namespace {

using ::testing::HasSubstr;
using testing::FakeDevice;
using testing::FakeTactic;

device::Problem problem_of(const std::string& parameters, const std::string& statements) {
  return device::Problem::parse("graph problem(" + parameters + ") { " + statements + " }");
}

device::Problem huge_conv() {
  return problem_of("%x0: f32[41,3,301,257], %w1: f32[5,3,3,3], %x2: f32[41,5,151,129]",
                    "%v0 = conv(%x0, %w1) {strides=[2,2], pads=[1,1,1,1], dilations=[1,1]} : f32[41,5,151,129] "
                    "%v1 = add(%v0, %x2) : f32[41,5,151,129] yield %v1");
}

/// Entries of dimension 0 of a tensor.
Tensor entries_of(const Tensor& tensor, const std::vector<int64_t>& entries) {
  Shape shape = tensor.shape();
  const int64_t bytes = tensor.bytes() / shape[0];
  shape[0] = static_cast<int64_t>(entries.size());
  Tensor part(tensor.dtype(), shape);
  for (size_t i = 0; i < entries.size(); ++i)
    std::memcpy(static_cast<char*>(part.raw()) + static_cast<int64_t>(i) * bytes, static_cast<const char*>(tensor.raw()) + entries[i] * bytes,
                static_cast<size_t>(bytes));
  return part;
}

TEST(AllowedError, IsOfTheCoarsestTypeThatIsComputed) {
  const device::Problem widened = problem_of("%x0: f16[7,5], %w1: f16[5,3]", "%v0 = matmul(%x0, %w1) : f16[7,3] %v1 = cast(%v0) : f32[7,3] yield %v1");
  const device::Problem wide = problem_of("%x0: f16[7,5], %w1: f32[5,3]", "%v0 = cast(%x0) : f32[7,5] %v1 = matmul(%v0, %w1) : f32[7,3] yield %v1");
  const device::Problem index = problem_of("%x0: f16[7,5]", "%v0 = add(%x0, %x0) : f16[7,5] %v1 = equal(%v0, %x0) : bool[7,5] yield %v1");
  EXPECT_EQ(allowed_error(widened, 0), 3e-3);
  EXPECT_EQ(allowed_error(wide, 0), 1e-4);
  EXPECT_EQ(allowed_error(index, 0), 0);
  // Where contractions may round to TF32, one that does must not be refused (it was: 1.2e-4 from the reference at least).
  EXPECT_EQ(allowed_error(wide, 0, true), 1e-3);
  EXPECT_EQ(allowed_error(problem_of("%x0: f32[7,5]", "%v0 = relu(%x0) : f32[7,5] yield %v0"), 0, true), 1e-4);
  EXPECT_EQ(allowed_error(problem_of("%x0: f64[7,5], %w1: f64[5,3]", "%v0 = matmul(%x0, %w1) : f64[7,3] yield %v0"), 0, true), 1e-12);
}

TEST(Sample, IsWhatTheWholeWouldBeThere) {
  const device::Problem problems[] = {
      huge_conv(),
      problem_of("%x0: f16[37,8,190,171]", "%v0 = max_pool(%x0) {kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]} : f16[37,8,95,86] yield %v0"),
      problem_of("%x0: f32[5003,1700], %w1: f32[1700,61], %w2: f32[61]",
                 "%v0 = matmul(%x0, %w1) : f32[5003,61] %v1 = add(%v0, %w2) : f32[5003,61] yield %v1"),
      problem_of("%x0: f32[400,11,2100]", "%v0 = reduce_mean(%x0) {axes=[1]} : f32[400,1,2100] %v1 = relu(%v0) : f32[400,1,2100] yield %v1"),
      problem_of("%x0: f16[50,31,57,100], %x1: f16[31,1,1]", "%v0 = mul(%x0, %x1) : f16[50,31,57,100] yield %v0"),
  };
  for (const device::Problem& problem : problems) {
    SCOPED_TRACE(problem.text());
    const Sample sample = sample_of(problem);
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample.entries.front(), 0);
    EXPECT_EQ(sample.entries.back(), sample.batch - 1);
    EXPECT_TRUE(std::is_sorted(sample.entries.begin(), sample.entries.end(), std::less_equal<>()));
    const Tensor whole = ops::evaluate(problem.body(), trial_inputs(problem)).at(0), part = expected_outputs(problem).at(0);
    const Tensor wanted = entries_of(whole, sample.entries);
    ASSERT_EQ(part.shape(), wanted.shape());
    EXPECT_EQ(std::memcmp(part.raw(), wanted.raw(), static_cast<size_t>(wanted.bytes())), 0);
  }
}

TEST(Sample, IsNotTakenWhereEntriesDependOnEachOther) {
  const device::Problem problems[] = {
      problem_of("%x0: f32[40,600,700]", "%v0 = softmax(%x0) {axis=0} : f32[40,600,700] yield %v0"),
      problem_of("%x0: f32[4000,4000], %w1: f32[4000,61]", "%v0 = matmul(%x0, %w1) {transpose_a=true} : f32[4000,61] yield %v0"),
      problem_of("%x0: f32[4000,4000], %x1: f32[4000,61]", "%v0 = matmul(%x0, %x1) : f32[4000,61] yield %v0"),
      problem_of("%x0: f32[40,600,700], %x1: f32[40,600,700]", "%v0 = concat(%x0, %x1) {axis=0} : f32[80,600,700] yield %v0"),
      problem_of("%x0: f32[40,600,700]", "%v0 = reduce_mean(%x0) {axes=[0]} : f32[1,600,700] yield %v0"),
      problem_of("%x0: f32[40,600,700]", "%v0 = transpose(%x0) {perm=[1,0,2]} : f32[600,40,700] yield %v0"),
      problem_of("%x0: f32[4100,4100]", "%v0 = transpose(%x0) {perm=[1,0]} : f32[4100,4100] yield %v0"),
      problem_of("%x0: f32[40,1,4,5]", "%v0 = relu(%x0) : f32[40,1,4,5] yield %v0"),  // too small
      problem_of("%x0: f32[6,3,1000,1000]", "%v0 = relu(%x0) : f32[6,3,1000,1000] yield %v0"),  // few entries
  };
  for (const device::Problem& problem : problems) EXPECT_FALSE(sample_of(problem)) << problem.text();
}

/// The trial's verdict on a kernel that spoils what `end` says behind the right result.
std::string verdict(testing::KernelWithEnd::End end) {
  FakeTactic tactic("fake", ir::Layout::plain);
  tactic.at_end = std::move(end);
  FakeDevice device({&tactic});
  const device::Problem problem = huge_conv();
  return try_candidate(problem, tactic, {"only", 0}, expected_outputs(problem), device, 1).wrong;
}

TEST(Sample, FindsWhatIsWrongAtTheEndsAndOutside) {
  constexpr int64_t size = 41 * 5 * 151 * 129;
  const auto data = [](const device::Arguments& arguments) { return static_cast<float*>(arguments.outputs[0]); };
  EXPECT_EQ(verdict({}), "");
  EXPECT_THAT(verdict([&](const auto& arguments) { data(arguments)[0] += 1000; }), HasSubstr("output 0 is off"));
  EXPECT_THAT(verdict([&](const auto& arguments) { data(arguments)[size - 1] += 1000; }), HasSubstr("output 0 is off"));
  EXPECT_THAT(verdict([&](const auto& arguments) { data(arguments)[size] = 0; }), HasSubstr("writes outside"));
  EXPECT_THAT(verdict([&](const auto& arguments) { data(arguments)[-1] = 0; }), HasSubstr("writes outside"));
}

TEST(Sample, FindsWhatWasNotWritten) {
  EXPECT_THAT(verdict([](const auto& arguments) {
                std::memset(static_cast<float*>(arguments.outputs[0]) + 40 * 5 * 151 * 129, 0xff, 4 * 5 * 151 * 129);
              }),
              HasSubstr("output 0 is off"));
}

}  // namespace
}  // namespace burnish::tune
