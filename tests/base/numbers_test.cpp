// Floats as integers, also those that do not fit.
#include "base/numbers.h"

#include <gtest/gtest.h>

namespace burnish {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int64_t most = std::numeric_limits<int64_t>::max(), least = std::numeric_limits<int64_t>::min();

TEST(WholePart, IsClamped) {
  EXPECT_EQ(whole_part(-2.75), -2);
  EXPECT_EQ(whole_part(7.5f), 7);
  EXPECT_EQ(whole_part(0x1p62), int64_t{1} << 62);
  EXPECT_EQ(whole_part(0x1p63), most);
  EXPECT_EQ(whole_part(-0x1p63), least);
  EXPECT_EQ(whole_part(1e300), most);
  EXPECT_EQ(whole_part(-infinity), least);
  EXPECT_EQ(whole_part(std::numeric_limits<double>::quiet_NaN()), 0);
}

TEST(ElementOf, TakesWhatDoesNotFit) {
  EXPECT_EQ(element_of<int8_t>(-3.9), -3);
  EXPECT_EQ(element_of<uint8_t>(261.0), 5);  // the low bits, as Cast keeps them
  EXPECT_EQ(element_of<int64_t>(static_cast<double>(most)), most);
  EXPECT_EQ(element_of<uint16_t>(-infinity), 0);
  EXPECT_EQ(element_of<float>(-infinity), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(element_of<bool>(0.5));
}

}  // namespace
}  // namespace burnish
