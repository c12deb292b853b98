// Lets Rust compute operations of llama.cpp's CPU backend, on that backend's own threads.
//
// llama.cpp asks each of its extra buffer types whether it computes an operation. Here one more is added to their list. No
// weight is ever placed in it: it only answers that question.
//
// The crate of llama.cpp hands no headers to other crates, so the declarations are repeated here. They are those of
// ggml-cpu/traits.h, ggml-cpu/ggml-cpu-impl.h, ggml-backend-impl.h and llama-model.h. The crate's version is pinned, and a
// test at the start of the program compares results.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

struct ggml_tensor;
struct ggml_threadpool;
struct llama_model;

struct ggml_compute_params {
    int ith, nth;
    size_t wsize;
    void * wdata;
    ggml_threadpool * threadpool;
    bool use_ref;
};

struct ggml_backend_buffer_type {
    void * functions[8];
    void * device;
    void * context;
};

namespace ggml::cpu {
class tensor_traits {
  public:
    virtual ~tensor_traits();
    virtual bool work_size(int threads, const ggml_tensor * operation, size_t & size) = 0;
    virtual bool compute_forward(ggml_compute_params * params, ggml_tensor * operation) = 0;
};

class extra_buffer_type {
  public:
    virtual ~extra_buffer_type();
    virtual bool supports_op(void * device, const ggml_tensor * operation) = 0;
    virtual tensor_traits * get_tensor_traits(const ggml_tensor * operation) = 0;
};
}  // namespace ggml::cpu

std::vector<ggml_backend_buffer_type *> & ggml_backend_cpu_get_extra_buffer_types();
const std::vector<std::pair<std::string, ggml_tensor *>> & llama_internal_get_tensor_map(const llama_model * model);

// Rust's side. All answers about an operation are the same at any time.
extern "C" {
bool magistrate_operation_is_ours(const ggml_tensor * operation);
size_t magistrate_operation_size(const ggml_tensor * operation, int threads);
void magistrate_operation_compute(const ggml_tensor * operation, int thread, int threads, void * work, ggml_threadpool * pool);
}

namespace {
struct operations final : ggml::cpu::tensor_traits {
    bool work_size(int threads, const ggml_tensor * operation, size_t & size) override {
        size = magistrate_operation_size(operation, threads);
        return true;
    }
    bool compute_forward(ggml_compute_params * params, ggml_tensor * operation) override {
        magistrate_operation_compute(operation, params->ith, params->nth, params->wdata, params->threadpool);
        return true;
    }
};

struct answers final : ggml::cpu::extra_buffer_type {
    bool supports_op(void *, const ggml_tensor *) override { return false; }
    ggml::cpu::tensor_traits * get_tensor_traits(const ggml_tensor * operation) override {
        static operations ours;
        return magistrate_operation_is_ours(operation) ? &ours : nullptr;
    }
};
}  // namespace

// Adds the buffer type to llama.cpp's list. Called once, before a model is loaded.
extern "C" void magistrate_add_operations() {
    static answers context;
    static ggml_backend_buffer_type type = { {}, nullptr, &context };
    auto & types = ggml_backend_cpu_get_extra_buffer_types();
    types.insert(types.begin(), &type);
}

// Shows each tensor of a model.
extern "C" void magistrate_each_tensor(const llama_model * model, void (*show)(ggml_tensor * tensor)) {
    for (const auto & named : llama_internal_get_tensor_map(model)) {
        show(named.second);
    }
}
