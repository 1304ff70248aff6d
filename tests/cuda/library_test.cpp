// Which of several CUDA libraries is opened: folders are laid out as pip and the toolkit lay them out; no GPU
// is needed.
#include "cuda/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/error.h"

namespace burnish::cuda {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A scratch folder, and the environment's variables as they were.
class Libraries : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "burnish_libraries_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    for (const char* name : {"BURNISH_CUDA_LIBRARIES", "VIRTUAL_ENV", "CUDA_HOME", "CUDA_PATH"}) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      unsetenv(name);
    }
  }

  void TearDown() override {
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
    fs::remove_all(root_);
  }

  /// The folder `name` of the scratch folder, made.
  std::string folder(const std::string& name) const {
    fs::create_directories(root_ / name);
    return (root_ / name).string();
  }

  /// Puts a library called `file` into the folder.
  void put(const std::string& name, const std::string& file) const {
    fs::copy_file(BURNISH_FAKE_LIBRARY, fs::path(folder(name)) / file);
  }

  /// The folder, below the scratch folder, of the library that is opened.
  std::string opened(const std::vector<std::string>& files) const {
    const Library library("the fake", files);
    const auto path = reinterpret_cast<const char* (*)()>(library.get("fake_library_path"));
    return fs::relative(path(), root_).parent_path().string();
  }

  fs::path root_;
  std::map<std::string, std::string> before_;
};

TEST_F(Libraries, PackagesBesideTheInstalledOneComeFirstThenTheEnvironmentsThenTheToolkits) {
  const std::string own = folder("site-packages/burnish") + "/libburnish_cuda.so";
  const std::string beside = folder("site-packages/nvidia/cu13/lib");
  folder("site-packages/nvidia/no_libraries");
  const std::string environment = folder("environment/lib/python3.12/site-packages/nvidia/cudnn/lib");
  setenv("VIRTUAL_ENV", folder("environment").c_str(), 1);
  setenv("CUDA_HOME", "/toolkit", 1);
  EXPECT_THAT(library_folders(own),
              testing::ElementsAre(beside, environment, "/toolkit/lib64", "/usr/local/cuda/lib64"));
}

TEST_F(Libraries, ABuildFolderFindsTheEnvironmentBesideIt) {
  const std::string own = folder("checkout/build/lib") + "/libburnish_cuda.so";
  const std::string found = folder("checkout/.venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib");
  EXPECT_THAT(library_folders(own), testing::ElementsAre("/usr/local/cuda/lib64", found));
}

TEST_F(Libraries, TheNamedFoldersGoBeforeAllOthers) {
  put("first", "libfake_a.so.9");
  put("second", "libfake_a.so.9");
  put("environment/lib/python3.12/site-packages/nvidia/fake/lib", "libfake_a.so.9");
  setenv("VIRTUAL_ENV", folder("environment").c_str(), 1);
  setenv("BURNISH_CUDA_LIBRARIES",
         (folder("empty") + "::" + folder("second") + ":" + folder("first")).c_str(), 1);
  EXPECT_EQ(opened({"libfake_a.so.9"}), "second");
}

TEST_F(Libraries, PyTorchsPackagesAreFoundInTheEnvironment) {
  const std::string packages = "environment/lib/python3.13/site-packages/nvidia/";
  put(packages + "cudnn/lib", "libfake_b.so.12");
  put(packages + "cu13/lib", "libfake_b.so");
  setenv("VIRTUAL_ENV", folder("environment").c_str(), 1);
  EXPECT_EQ(opened({"libfake_b.so.12"}), packages + "cudnn/lib");
}

TEST_F(Libraries, WhatIsNotThereIsNamedWithThePlacesThatWereSearched) {
  setenv("CUDA_HOME", "/no/toolkit", 1);
  try {
    Library("the fake", {"libfake_c.so.9", "libfake_c.so"});
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the fake was not found: looked for libfake_c.so.9"));
    EXPECT_THAT(error.what(), HasSubstr("/no/toolkit/lib64"));
    EXPECT_THAT(error.what(), HasSubstr("BURNISH_CUDA_LIBRARIES"));
  }
}

}  // namespace
}  // namespace burnish::cuda
