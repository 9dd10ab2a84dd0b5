"""Threads that wait for calls in C: any leaders and workers give the same bits, and nobody waits for who is not there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from symrnn import Cell, render

EQUATIONS = "h' = tanh(W @ x + V @ h)"
OPTIONS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-pthread")

HARNESS = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "small.h"

enum { T = 3, B = 5, I = 4, H = 40, WORKERS = 2, LEADERS = 3, CALLS = 60 };

static small_worker workers[WORKERS];
static small_worker *const all[WORKERS] = {&workers[0], &workers[1]};
static int stop;
static float packed[1 << 16], x[T * B * I], expected[T * B * H];

static void *work(void *worker)
{
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        if (small_serve(worker) != SMALL_OK)
            abort();
    return NULL;
}

static int infer(float *y, float *workspace, size_t parts, int coming, size_t *ran)
{
    small_dims dims = {.steps = T, .rows = B, .input = I, .hidden = H};
    void *const row[] = {&dims, packed, x, NULL, y, NULL, workspace};
    return small_f32_lead(SMALL_LEAD_INFER, row, all, parts, coming, ran);
}

static void *leader(void *first)
{
    static float y[LEADERS][T * B * H], workspace[LEADERS][1 << 16];
    const int i = *(int *)first;
    for (int call = 0; call < CALLS; ++call) {
        memset(y[i], 0, sizeof y[i]);
        if (infer(y[i], workspace[i], 1 + (size_t)call % (WORKERS + 1), call % 2, NULL) != SMALL_OK)
            abort();
        if (memcmp(y[i], expected, sizeof expected))
            exit(3);
    }
    return NULL;
}

#define EXPECT(condition) do { if (!(condition)) { puts(#condition); return 1; } } while (0)

int main(void)
{
    static float v[H * H], workspace[1 << 16];
    float y[T * B * H] = {0};
    for (int i = 0; i < H * H; ++i)
        v[i] = (float)(i % 7) * 0.01f - 0.02f;
    for (int i = 0; i < T * B * I; ++i)
        x[i] = (float)(i % 5) - 2.0f;
    small_dims dims = {.steps = T, .rows = B, .input = I, .hidden = H};
    small_f32_params params = {.W = v, .V = v};
    size_t size, ran = 0;
    EXPECT(small_f32_packed_size(&dims, &size) == SMALL_OK && size <= 1 << 16);
    EXPECT(small_f32_infer_workspace_size(&dims, WORKERS + 1, &size) == SMALL_OK && size <= 1 << 16);

    void *const row[] = {&dims, &params, packed, NULL};
    EXPECT(small_f32_lead(SMALL_LEAD_PACK, row, NULL, 1, 0, &ran) == SMALL_OK && ran == 1);
    EXPECT(small_f32_infer(&dims, packed, x, NULL, expected, NULL, workspace, 0, 1, NULL) == SMALL_OK);
    EXPECT(expected[T * B * H - 1] != 0.0f);

    /* Nobody is there, whether or not somebody was told to come. */
    EXPECT(infer(y, workspace, WORKERS + 1, 0, &ran) == SMALL_OK && ran == 1 && !memcmp(y, expected, sizeof y));
    memset(y, 0, sizeof y);
    EXPECT(infer(y, workspace, WORKERS + 1, 1, &ran) == SMALL_OK && ran == 1 && !memcmp(y, expected, sizeof y));
    EXPECT(workers[0].state == 0 && workers[1].state == 0);

    EXPECT(small_serve(NULL) == SMALL_NULL);
    EXPECT(small_f32_lead(SMALL_LEAD_INFER, NULL, all, 2, 0, NULL) == SMALL_NULL);
    EXPECT(small_f32_lead(SMALL_LEAD_INFER, row, NULL, 2, 0, NULL) == SMALL_NULL);
    EXPECT(small_f32_lead(99, row, all, 1, 0, NULL) == SMALL_NULL);
    EXPECT(infer(y, workspace, 0, 0, NULL) == SMALL_PARTS);
    EXPECT(infer(y, workspace, SMALL_MOST_PARTS + 1, 0, NULL) == SMALL_PARTS);
    EXPECT(infer(y, NULL, 1, 0, NULL) == SMALL_NULL);
    small_worker busy = {.state = 1};
    EXPECT(small_serve(&busy) == SMALL_PARTS);

    pthread_t serving[WORKERS], leading[LEADERS];
    int numbers[LEADERS];
    for (int i = 0; i < WORKERS; ++i)
        if (pthread_create(&serving[i], NULL, work, &workers[i]))
            return 2;
    /* Until a worker has run a part: the leader's call did not just go on alone. */
    while (ran < 2)
        EXPECT(infer(y, workspace, WORKERS + 1, 1, &ran) == SMALL_OK);
    EXPECT(infer(y, NULL, WORKERS + 1, 1, NULL) == SMALL_NULL);
    for (int i = 0; i < LEADERS; ++i) {
        numbers[i] = i;
        if (pthread_create(&leading[i], NULL, leader, &numbers[i]))
            return 2;
    }
    for (int i = 0; i < LEADERS; ++i)
        pthread_join(leading[i], NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < WORKERS; ++i)
        pthread_join(serving[i], NULL); /* `serve` returns by itself once nobody calls */
    EXPECT(workers[0].state == 0 && workers[1].state == 0);
    return 0;
}
"""


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_leaders_and_workers_meet(sanitizer: str, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    for file, text in render(Cell.from_equations(EQUATIONS, name="small"), backends=("c",)).items():
        tmp_path.joinpath(file).write_text(text)
    tmp_path.joinpath("main.c").write_text(HARNESS)
    for command in (
        ["gcc", *OPTIONS, f"-fsanitize={sanitizer}", "-O1", "small.c", "main.c", "-o", "main", "-lm"],
        ["./main"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
