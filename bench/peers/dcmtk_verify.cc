// DCMTK in process: verifies files again and again, without the cost of starting a program.
//
//   dcmtk_verify N PATH...     N passes over each PATH; one line of JSON for each
//   dcmtk_verify               reads lines "N<tab>PATH" from standard input instead
//
// A PATH that is a folder means all its files, in one pass. What is timed is what `dcmsign --verify`
// does to a file: load it whole, walk to every Digital Signatures Sequence at any depth, verify
// each signature in it. Certificates are parsed, their chain is not judged, and nothing is logged.

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmdata/dctk.h"
#include "dcmtk/dcmsign/dcsignat.h"
#include "dcmtk/dcmsign/sicert.h"
#include "dcmtk/oflog/oflog.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

namespace {

struct Outcome {
    unsigned long signatures = 0;
    std::string trouble;  // of the first file or signature that has any

    std::string verdict() const {
        if (!trouble.empty()) return "failed";
        return signatures ? "passed" : "unsigned";
    }
};

double now(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void note(Outcome& outcome, const OFCondition& condition) {
    if (condition.bad() && outcome.trouble.empty()) outcome.trouble = condition.text();
}

void verify(const std::string& path, Outcome& outcome) {
    DcmFileFormat file;
    OFCondition loaded = file.loadFile(path.c_str(), EXS_Unknown, EGL_noChange, DCM_MaxReadLength);
    note(outcome, loaded);
    if (loaded.bad()) return;
    file.loadAllDataIntoMemory();  // as dcmsign does: without it compressed pixels count as empty

    DcmDataset& dataset = *file.getDataset();
    DcmSignature signature;
    DcmStack stack;
    DcmItem* scope = DcmSignature::findFirstSignatureItem(dataset, stack);
    while (scope) {
        signature.attach(scope);
        const unsigned long count = signature.numberOfSignatures();
        for (unsigned long i = 0; i < count; ++i) {
            note(outcome, signature.selectSignature(i));
            note(outcome, signature.verifyCurrent());
            SiCertificate* certificate = signature.getCurrentCertificate();
            if (!certificate || certificate->getKeyType() == EKT_none) {
                outcome.trouble = "no usable certificate";
            }
            ++outcome.signatures;
        }
        signature.detach();
        scope = DcmSignature::findNextSignatureItem(dataset, stack);
    }
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) >= 0x20) out += c;
    }
    return out;
}

void measure(long passes, const std::string& path) {
    std::vector<std::string> files;
    if (std::filesystem::is_directory(path)) {
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            files.push_back(entry.path().string());
        }
        std::sort(files.begin(), files.end());
    } else {
        files.push_back(path);
    }
    Outcome outcome;
    std::string seconds, cpu;
    for (long pass = 0; pass < passes; ++pass) {
        outcome = Outcome();
        const double wall_start = now(CLOCK_MONOTONIC);
        const double cpu_start = now(CLOCK_PROCESS_CPUTIME_ID);
        for (const std::string& file : files) verify(file, outcome);
        const double cpu_stop = now(CLOCK_PROCESS_CPUTIME_ID);
        const double wall_stop = now(CLOCK_MONOTONIC);
        const char* comma = pass ? ", " : "";
        char number[40];
        std::snprintf(number, sizeof number, "%s%.9f", comma, wall_stop - wall_start);
        seconds += number;
        std::snprintf(number, sizeof number, "%s%.9f", comma, cpu_stop - cpu_start);
        cpu += number;
    }
    std::cout << "{\"seconds\": [" << seconds << "], \"cpu\": [" << cpu << "], \"verdict\": \""
              << outcome.verdict() << "\", \"signatures\": " << outcome.signatures
              << ", \"message\": \"" << escaped(outcome.trouble) << "\"}" << std::endl;
}

}  // namespace

int main(int argc, char* argv[]) {
    OFLog::configure(OFLogger::FATAL_LOG_LEVEL);
    DcmSignature::initializeLibrary();
    if (!dcmDataDict.isDictionaryLoaded()) {
        std::cerr << "dcmtk_verify: no data dictionary (see DCMDICTPATH)" << std::endl;
        return 2;
    }
    if (argc == 2) {
        std::cerr << "usage: dcmtk_verify [N PATH...]" << std::endl;
        return 2;
    }
    for (int i = 2; i < argc; ++i) measure(std::atol(argv[1]), argv[i]);
    if (argc == 1) {
        for (std::string line; std::getline(std::cin, line);) {
            const std::size_t tab = line.find('\t');
            if (tab != std::string::npos) measure(std::atol(line.c_str()), line.substr(tab + 1));
        }
    }
    return 0;
}
