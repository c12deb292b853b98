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

#if defined(MAGISTRATE_DYNAMIC_BACKENDS) && !defined(_WIN32)
#include <dlfcn.h>
#endif

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

#ifdef MAGISTRATE_DYNAMIC_BACKENDS
extern "C" {
void * ggml_backend_dev_by_type(int type);
void * ggml_backend_dev_backend_reg(void * device);
void * ggml_backend_reg_get_proc_address(void * registry, const char * name);
}
#endif

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
#ifdef MAGISTRATE_DYNAMIC_BACKENDS
// Destructors of the library cannot be linked.
tensor_traits::~tensor_traits() = default;
extra_buffer_type::~extra_buffer_type() = default;
#endif
}  // namespace ggml::cpu

std::vector<ggml_backend_buffer_type *> & ggml_backend_cpu_get_extra_buffer_types();
extern "C" void ggml_barrier(ggml_threadpool * pool);
const std::vector<std::pair<std::string, ggml_tensor *>> & llama_internal_get_tensor_map(const llama_model * model);

// Rust's side. All answers about an operation are the same at any time.
extern "C" {
bool magistrate_operation_is_ours(const ggml_tensor * operation);
size_t magistrate_operation_size(const ggml_tensor * operation, int threads);
void magistrate_operation_compute(const ggml_tensor * operation, int thread, int threads, void * work, ggml_threadpool * pool);
}

namespace {
// The functions of the CPU backend that are called here.
struct functions {
    std::vector<ggml_backend_buffer_type *> & (*types)() = nullptr;
    void (*barrier)(ggml_threadpool * pool) = nullptr;
};

#if defined(MAGISTRATE_DYNAMIC_BACKENDS) && defined(_WIN32)
functions found() { return {}; }
#elif defined(MAGISTRATE_DYNAMIC_BACKENDS)
// The backend is a library that llama.cpp has chosen for this CPU, and the program is not linked with it. Each function
// that the backend hands out leads to that library.
functions found() {
    void * device = ggml_backend_dev_by_type(0);  // of a CPU
    void * registry = device ? ggml_backend_dev_backend_reg(device) : nullptr;
    void * known = registry ? ggml_backend_reg_get_proc_address(registry, "ggml_backend_set_n_threads") : nullptr;
    Dl_info place;
    void * library = known && dladdr(known, &place) ? dlopen(place.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
    functions found;
    if (library) {
        const char * types = "_Z39ggml_backend_cpu_get_extra_buffer_typesv";
        found.types = reinterpret_cast<decltype(found.types)>(dlsym(library, types));
        found.barrier = reinterpret_cast<decltype(found.barrier)>(dlsym(library, "ggml_barrier"));
    }
    return found;
}
#else
functions found() { return { ggml_backend_cpu_get_extra_buffer_types, ggml_barrier }; }
#endif

const functions & backend() {
    static const functions functions = found();
    return functions;
}

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

// Adds the buffer type to llama.cpp's list, if the list can be reached. Called once, before a model is loaded.
extern "C" void magistrate_add_operations() {
    static answers context;
    static ggml_backend_buffer_type type = { {}, nullptr, &context };
    if (backend().types && backend().barrier) {
        auto & types = backend().types();
        types.insert(types.begin(), &type);
    }
}

// Waits until each thread of an operation is here.
extern "C" void magistrate_wait(ggml_threadpool * pool) { backend().barrier(pool); }

// Shows each tensor of a model.
extern "C" void magistrate_each_tensor(const llama_model * model, void (*show)(ggml_tensor * tensor)) {
    for (const auto & named : llama_internal_get_tensor_map(model)) {
        show(named.second);
    }
}
