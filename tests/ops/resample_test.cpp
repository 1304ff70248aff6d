// resize, grid_sample, affine_grid, roi_align, max_roi_pool and col2im.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data_testing.h"
#include "ops/resize.h"
#include "ops/vision_attributes.h"

namespace burnish::ops::testing {
namespace {

Tensor row_of(std::vector<float> values) {
  return Tensor::of<float>({1, 1, 1, static_cast<int64_t>(values.size())}, values);
}
Tensor scales_of(std::vector<float> scales) {
  return Tensor::of<float>({static_cast<int64_t>(scales.size())}, scales);
}
std::vector<float> resized(ResizeAttributes attributes, std::vector<float> row, int64_t width) {
  return values_of<float>(
      run(def::resize, attributes, {row_of(row), Tensor(), Tensor(), vector_of({1, 1, 1, width})}));
}

TEST(Resize, TakesTheNearestPixel) {
  ResizeAttributes nearest;
  EXPECT_EQ(resized(nearest, {1, 2, 3}, 6), (std::vector<float>{1, 1, 2, 2, 3, 3}));
  nearest.coordinate_transformation_mode = "asymmetric";
  EXPECT_EQ(resized(nearest, {1, 2, 3}, 6), (std::vector<float>{1, 1, 2, 2, 3, 3}));
  nearest.nearest_mode = "round_prefer_ceil";
  EXPECT_EQ(resized(nearest, {1, 2, 3}, 6), (std::vector<float>{1, 2, 2, 3, 3, 3}));
  nearest.nearest_mode = "simple";
  EXPECT_EQ(resized(nearest, {1, 2, 3, 4}, 3), (std::vector<float>{1, 3, 4}));
  nearest.nearest_mode = "middle";
  EXPECT_THROW(resized(nearest, {1, 2}, 4), Error);
}

TEST(Resize, InterpolatesInEveryCoordinateMode) {
  ResizeAttributes linear;
  linear.mode = "linear";
  EXPECT_EQ(resized(linear, {1, 2, 3, 4}, 8), (std::vector<float>{1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4}));
  linear.coordinate_transformation_mode = "align_corners";
  EXPECT_EQ(resized(linear, {1, 2, 3, 4}, 7), (std::vector<float>{1, 1.5, 2, 2.5, 3, 3.5, 4}));
  linear.coordinate_transformation_mode = "asymmetric";
  EXPECT_EQ(resized(linear, {1, 2}, 4), (std::vector<float>{1, 1.5, 2, 2}));
  linear.coordinate_transformation_mode = "pytorch_half_pixel";
  EXPECT_EQ(resized(linear, {1, 2}, 1), (std::vector<float>{1}));
  linear.coordinate_transformation_mode = "sideways";
  EXPECT_THROW(resized(linear, {1, 2}, 4), Error);
}

TEST(Resize, CubicFollowsAParabolaInside) {
  // With a = -0.5 Keys' kernel reproduces polynomials of degree 2 away from the border.
  ResizeAttributes cubic;
  cubic.mode = "cubic";
  cubic.cubic_coeff_a = -0.5;
  std::vector<float> squares;
  for (int i = 0; i < 12; ++i) squares.push_back(static_cast<float>(i * i));
  const std::vector<float> doubled = resized(cubic, squares, 24);
  for (int x = 5; x < 19; ++x) {
    const double at = (x + 0.5) / 2 - 0.5;
    EXPECT_NEAR(doubled[static_cast<size_t>(x)], at * at, 1e-4) << x;
  }
}

TEST(Resize, AntialiasingAveragesWhatItShrinks) {
  ResizeAttributes smooth;
  smooth.mode = "linear";
  smooth.antialias = true;
  const std::vector<float> row = {3, -1, 4, 1, -5, 9, 2, -6}, halved = resized(smooth, row, 4);
  for (int x = 0; x < 4; ++x) {  // a triangle of radius 2 round 2 x + 0.5, pixels outside repeat the border
    double sum = 0, total = 0;
    for (int i = -4; i < 12; ++i) {
      const double weight = std::max(0.0, 1 - std::fabs(i - (2 * x + 0.5)) / 2);
      sum += weight * row[static_cast<size_t>(std::clamp(i, 0, 7))];
      total += weight;
    }
    EXPECT_NEAR(halved[static_cast<size_t>(x)], sum / total, 1e-5) << x;
  }
}

TEST(Resize, BilinearAgreesWithTheFormula) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 8; ++trial) {
    const auto size = [&] { return std::uniform_int_distribution<int64_t>(1, 9)(random); };
    const int64_t h = size(), w = size(), rows = size(), columns = size();
    const Tensor x = random_tensor({2, 3, h, w}, static_cast<unsigned>(trial));
    ResizeAttributes linear;
    linear.mode = "linear";
    const Tensor y = run(def::resize, linear, {x, Tensor(), Tensor(), vector_of({2, 3, rows, columns})});
    const auto split = [](int64_t at, int64_t from, int64_t to, int64_t& low, int64_t& high) {
      const double place = std::clamp(
          (static_cast<double>(at) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5, 0.0,
          static_cast<double>(from - 1));
      low = static_cast<int64_t>(place);
      high = std::min(low + 1, from - 1);
      return place - static_cast<double>(low);
    };
    for (int64_t i = 0; i < y.size(); ++i) {
      int64_t top, bottom, left, right;
      const double v = split(i / columns % rows, h, rows, top, bottom),
                   u = split(i % columns, w, columns, left, right);
      const float* plane = x.data<float>() + i / (rows * columns) * h * w;
      const double expected = (1 - v) * ((1 - u) * plane[top * w + left] + u * plane[top * w + right]) +
                              v * ((1 - u) * plane[bottom * w + left] + u * plane[bottom * w + right]);
      ASSERT_NEAR(y.data<float>()[i], expected, 1e-5) << "trial " << trial;
    }
  }
}

TEST(Resize, CropsAndExtrapolates) {
  ResizeAttributes crop;
  crop.mode = "linear";
  crop.coordinate_transformation_mode = "tf_crop_and_resize";
  crop.extrapolation_value = 10;
  crop.axes = {3};
  const Tensor roi = scales_of({0.5f, 1.5f});
  expect_tensor<float>(run(def::resize, crop, {row_of({1, 2, 3}), roi, Tensor(), vector_of({3})}),
                       {1, 1, 1, 3}, {2, 3, 10});
}

TEST(Resize, KeepsTheAspectRatio) {
  ResizeAttributes fit;
  fit.axes = {2, 3};
  fit.keep_aspect_ratio_policy = "not_larger";
  const Tensor x = counting({1, 1, 2, 4}), sizes = vector_of({7, 8});
  EXPECT_EQ(run(def::resize, fit, {x, Tensor(), Tensor(), sizes}).shape(), (Shape{1, 1, 4, 8}));
  fit.keep_aspect_ratio_policy = "not_smaller";
  EXPECT_EQ(run(def::resize, fit, {x, Tensor(), Tensor(), sizes}).shape(), (Shape{1, 1, 7, 14}));
}

TEST(Resize, InfersSymbolically) {
  const auto type = [](std::vector<float> scales) {
    return Inferred()
        .input({"n", "3", "h", "w"})
        .omitted()
        .constant(scales_of(scales))
        .apply(def::resize, ResizeAttributes{})
        .type();
  };
  EXPECT_EQ(type({1, 1, 2, 2}), "f32[n,3,2*h,2*w]");
  EXPECT_EQ(type({1, 1, 0.5f, 1.f / 3}), "f32[n,3,floor_div(h, 2),floor_div(w, 3)]");
  EXPECT_EQ(Inferred()
                .input({"n", "c", "h", "w"})
                .omitted()
                .omitted()
                .contents({"n", "c", "2*h", "7"})
                .apply(def::resize, ResizeAttributes{})
                .type(),
            "f32[n,c,2*h,7]");
  EXPECT_THROW(run(def::resize, ResizeAttributes{}, {row_of({1}), Tensor(), scales_of({1, 1, -1, 1})}),
               Error);
  EXPECT_THROW(run(def::resize, ResizeAttributes{}, {row_of({1})}), Error);
}

Tensor identity_grid(const Shape& size, bool align) {
  const Tensor theta = size.size() == 4 ? Tensor::of<float>({1, 2, 3}, {1, 0, 0, 0, 1, 0})
                                        : Tensor::of<float>({1, 3, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0});
  return run(def::affine_grid, AffineGridAttributes{align}, {theta, vector_of(size)});
}

TEST(GridSample, TheIdentityGridChangesNothing) {
  for (const Shape& size : {Shape{1, 2, 3, 5}, Shape{1, 1, 2, 3, 4}})
    for (bool align : {false, true})
      for (const char* mode : {"linear", "nearest", "cubic"}) {
        const Tensor x = random_tensor(size, 3);
        expect_near(run(def::grid_sample, GridSampleAttributes{mode, "border", align},
                        {x, identity_grid(size, align)}),
                    size, values_of<float>(x), 1e-5);
      }
}

TEST(GridSample, PadsInEveryMode) {
  const Tensor x = row_of({1, 2, 3, 4}),
               grid = Tensor::of<float>({1, 1, 3, 2}, {-1.25f, 0, 1.25f, 0, 1.75f, 0});
  const auto sampled = [&](const char* padding) {
    return values_of<float>(run(def::grid_sample, GridSampleAttributes{"nearest", padding}, {x, grid}));
  };
  EXPECT_EQ(sampled("zeros"), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(sampled("border"), (std::vector<float>{1, 4, 4}));
  EXPECT_EQ(sampled("reflection"), (std::vector<float>{1, 4, 3}));
  EXPECT_THROW(sampled("wrap"), Error);
}

// Cubic samples are those of the image made larger by what the padding says of its surroundings.
TEST(GridSample, PadsEachPixelOfACubicSample) {
  const std::vector<float> x = {1, 2, 3, 5}, places = {-2.75f, -0.5f, 0.25f, 3.125f, 4.75f, 5.5f};
  const auto sampled = [&](const std::vector<float>& row, float first, const char* padding, bool align) {
    const float last = static_cast<float>(row.size()) - 1;
    std::vector<float> grid;
    for (float at : places) {
      const float place = at - first;
      grid.insert(grid.end(), {align ? 2 * place / last - 1 : (2 * place + 1) / (last + 1) - 1, 0});
    }
    return values_of<float>(run(def::grid_sample, GridSampleAttributes{"cubic", padding, align},
                                {row_of(row), Tensor::of<float>({1, 1, 6, 2}, grid)}));
  };
  const auto expect_same = [&](const char* padding, bool align, const std::vector<float>& enlarged) {
    const std::vector<float> got = sampled(x, 0, padding, align),
                             wanted = sampled(enlarged, -5, "zeros", align);
    for (size_t i = 0; i < places.size(); ++i)
      EXPECT_NEAR(got[i], wanted[i], 1e-4) << padding << " at " << places[i];
  };
  for (bool align : {false, true}) {
    expect_same("zeros", align, {0, 0, 0, 0, 0, 1, 2, 3, 5, 0, 0, 0, 0, 0});
    expect_same("border", align, {1, 1, 1, 1, 1, 1, 2, 3, 5, 5, 5, 5, 5, 5});
  }
  expect_same("reflection", true, {2, 3, 5, 3, 2, 1, 2, 3, 5, 3, 2, 1, 2, 3});
  expect_same("reflection", false, {5, 5, 3, 2, 1, 1, 2, 3, 5, 5, 3, 2, 1, 1});
}

TEST(RoiAlign, AveragesAWholeImage) {
  const RoiAlignAttributes attributes{"avg", "output_half_pixel", 2, 2, 2};
  const Tensor x = counting({1, 1, 4, 4}), rois = Tensor::of<float>({1, 4}, {0, 0, 3, 3});
  // Samples at 0.375, 1.125 | 1.875, 2.625 in each dimension; the image is linear, so averages are exact.
  expect_near(run(def::roi_align, attributes, {x, rois, vector_of({0})}), {1, 1, 2, 2},
              {3.75, 5.25, 9.75, 11.25});
  EXPECT_THROW(run(def::roi_align, attributes, {x, rois, vector_of({1})}), Error);
}

TEST(MaxRoiPool, TakesTheLargestOfEachBin) {
  const Tensor x = counting({1, 1, 4, 4}), rois = Tensor::of<float>({1, 5}, {0, 0, 0, 3, 3});
  expect_tensor<float>(run(def::max_roi_pool, MaxRoiPoolAttributes{{2, 2}}, {x, rois}), {1, 1, 2, 2},
                       {5, 7, 13, 15});
}

TEST(Col2Im, SumsOverlaps) {
  const Tensor x =
      Tensor::of<float>({1, 2, 3}, {1, 2, 3, 10, 20, 30});  // blocks of 2 at 3 places of a row of 4
  expect_tensor<float>(run(def::col2im, Col2ImAttributes{}, {x, vector_of({1, 4}), vector_of({1, 2})}),
                       {1, 1, 1, 4}, {1, 12, 23, 30});
  EXPECT_THROW(run(def::col2im, Col2ImAttributes{}, {x, vector_of({1, 5}), vector_of({1, 2})}), Error);
}

}  // namespace
}  // namespace burnish::ops::testing
