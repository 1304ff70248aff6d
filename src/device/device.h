// What a chip can do: the interface that every backend implements.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/tactic.h"

namespace burnish::device {

struct DeviceInfo {
  std::string backend;  ///< "cpu", "cuda", "reference"
  int index = 0;
  std::string name;     ///< "AMD EPYC 9R14", "NVIDIA H100 80GB HBM3"
  std::string arch;     ///< "avx512_vnni", "sm_90": what kernels are chosen and compiled for
  bool elsewhere = false;  ///< `arch` is not this chip's own (DeviceOptions::arch): times taken here mean nothing
  /// Everything that measured times depend on, one word: chip, driver, the versions of the libraries called,
  /// thread count. Part of the tuning cache's keys.
  std::string tuning_key;
  int64_t memory_bytes = 0;
  int threads = 1;
  int multiprocessors = 0;  ///< of a GPU
  /// What its kernels call, with versions: ("oneDNN", "2.6.3").
  std::vector<std::pair<std::string, std::string>> libraries;
  std::vector<std::string> precisions;  ///< what it can compute in, by the names of `--precision`
  bool tf32 = false;  ///< f32 contractions may round their operands to 10 bits of mantissa (DeviceOptions::tf32)
};

/// A mark in a stream's order, for other streams to wait on.
class Event {
 public:
  virtual ~Event() = default;
  /// Milliseconds of the device's own clock from `start`'s mark to this one's, both timed and recorded; waits for
  /// this mark. Negative where the device keeps no time of its own.
  virtual double milliseconds_since(Event& /*start*/) { return -1; }
};

/// A queue of work in order. On a CPU enqueue runs at once.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void synchronize() = 0;
  /// Marks what has been enqueued so far; nothing to do where enqueue runs at once.
  virtual void record(Event&) {}
  /// What is enqueued from here on runs after what `event` marked on its stream.
  virtual void wait(Event&) {}
};

/// A captured sequence of work that is launched as a whole.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void launch(Stream& stream) = 0;
  /// The kernels, copies and memory sets in it.
  virtual int work_nodes() const = 0;
};

struct DeviceOptions {
  int threads = 0;  ///< CPU threads in all; 0: what the process may use
  bool tf32 = false;
  /// Choose and compile kernels for this architecture instead of the chip's own, on a backend that can; such kernels
  /// are compiled again when they are loaded here. Empty: the chip's own.
  std::string arch;
};

/// An opened device. Shared by engines and sessions; every method may be called from any thread.
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceInfo& info() const = 0;
  virtual DeviceId id() const = 0;
  bool on_host() const { return id().is_host(); }

  /// Memory aligned to 256 bytes; throws Error saying how much was asked for and is left.
  virtual void* allocate(size_t bytes) = 0;
  virtual void free(void* memory) = 0;
  /// Copies between any two of host and this device, in stream order.
  virtual void copy(void* to, const void* from, size_t bytes, Stream& stream) = 0;
  virtual std::unique_ptr<Stream> create_stream() = 0;
  /// A stream that the caller owns (a CUstream on CUDA).
  virtual std::unique_ptr<Stream> wrap_stream(void* native) = 0;
  /// `timed`: for milliseconds_since(); marks that keep the time cost a little more.
  virtual std::unique_ptr<Event> create_event(bool /*timed*/ = false) { return std::make_unique<Event>(); }
  /// Records what `body` enqueues on `stream`, and on streams that it joins to it by events (which must be joined
  /// back), instead of running it. Pointers are captured as they are. Null where the device has no graphs. Throws what
  /// `body` throws, and Error where something in it cannot be captured (a synchronize, a fallback kernel).
  virtual std::unique_ptr<Graph> capture(Stream&, const std::function<void()>& /*body*/) { return nullptr; }

  /// Runs `body` where work of this device may be launched from, and returns when it has returned. The CPU
  /// passes it to the one thread that owns the OpenMP team; a GPU makes its context current.
  virtual void execute(const std::function<void()>& body) = 0;

  /// Best guess first, the plain one last; the fallback comes after these, by itself.
  virtual std::span<const Tactic* const> tactics() const = 0;

  /// Median microseconds of one call of `enqueue`, warmed up; at most `budget_us` is spent. `rotate` sets of
  /// buffers are used in turn (enqueue gets 0 ... rotate - 1), so that caches hold what they would in a network.
  virtual double measure(const std::function<void(Stream&, int)>& enqueue, int rotate, double budget_us) = 0;

  /// A copy where the tensor lies on the device, else the tensor itself; waits.
  Tensor to_host(const Tensor& tensor);
  /// Tensor on this device with fresh memory, freed with its last owner.
  Tensor make_tensor(DType dtype, Shape shape, size_t storage_bytes);
};

/// A family of devices behind one name.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;
  /// What is here; empty where there is none. Never throws for a missing driver: `problem` says why there is none.
  virtual std::vector<DeviceInfo> devices(std::string* problem = nullptr) = 0;
  virtual std::shared_ptr<Device> open(int index, const DeviceOptions& options) = 0;
};

/// Backends linked in register themselves at static initialisation; others are loaded as libburnish_NAME.so.
void register_backend(std::unique_ptr<Backend> backend);
/// "cpu", "cuda" ...; loads its library when asked for. Null if there is none; `problem` then says why.
Backend* find_backend(const std::string& name, std::string* problem = nullptr);
/// The names of backends that can be asked for.
std::vector<std::string> backend_names();
/// "cpu", "cuda", "cuda:1", "reference"; empty: cuda where a GPU is, else cpu. Throws Error saying what there is.
std::shared_ptr<Device> open_device(const std::string& spec, const DeviceOptions& options = {});

/// The version of this interface: a backend's library is refused when it was built for another.
inline constexpr int interface_version = 5;

}  // namespace burnish::device
