#include "base/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace burnish {
namespace {

class Npy : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  void write(const std::string& header, const std::string& data, char version = 1) {
    std::string bytes = std::string("\x93NUMPY") + version + '\0' + static_cast<char>(header.size()) + '\0';
    if (version > 1) bytes += std::string(2, '\0');
    std::ofstream(path_, std::ios::binary) << bytes << header << data;
  }
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("burnish_" + std::to_string(::getpid()) + ".npy")).string();
};

TEST_F(Npy, ReadsWhatItWrites) {
  for (const Tensor& tensor : {Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}), Tensor::scalar<int64_t>(-7),
                               Tensor::of<uint8_t>({0, 4}, {})}) {
    write_npy(path_, tensor);
    const Tensor back = read_npy(path_);
    EXPECT_EQ(back.dtype(), tensor.dtype());
    EXPECT_EQ(back.shape(), tensor.shape());
    if (tensor.bytes() > 0)
      EXPECT_EQ(std::memcmp(back.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())), 0);
  }
}

TEST_F(Npy, WidensTypesThatNumpyLacks) {
  write_npy(path_, Tensor::of<BFloat16>({2}, {1.5f, -2.0f}));
  EXPECT_EQ(read_npy(path_).data<float>()[1], -2.0f);
  write_npy(path_, Tensor::of<Int4>({2}, {Int4(-8), Int4(7)}));
  EXPECT_EQ(read_npy(path_).data<int8_t>()[0], -8);
}

TEST_F(Npy, ReadsColumnMajorAndBigEndianFiles) {
  const std::string data = {0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6};  // the columns of [[1,2,3],[4,5,6]]
  for (char version : {char{1}, char{2}}) {
    write("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }", data, version);
    const Tensor tensor = read_npy(path_);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(tensor.data<int16_t>()[i], i + 1);
  }
}

TEST_F(Npy, RefusesDamagedFiles) {
  const std::string eight(8, '\0');
  for (const char* header :
       {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "{'descr': '<f4', 'shape': (-1,), }",
        "{}", "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }"}) {
    write(header, eight);
    EXPECT_THROW(read_npy(path_), Error) << header;
  }
  std::ofstream(path_, std::ios::binary) << "\x93NUMPY\x01";
  EXPECT_THROW(read_npy(path_), Error);
  EXPECT_THROW(read_npy(path_ + ".missing"), Error);
}

}  // namespace
}  // namespace burnish
