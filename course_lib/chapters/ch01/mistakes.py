"""More mistakes that readers of chapter 01 make: rows for the tables of exercises.py."""

MORE = {
    "split": {
        "(x[order[:shots]], y[order[:shots]], x[order[shots + 1:]], y[order[shots + 1:]])": (
            "One point is in neither set: `order[shots + 1:]` skips the place `shots`. The query "
            "set begins where the support set ends."
        ),
        "((x[order[:shots]], y[order[:shots]]), (x[order[shots:]], y[order[shots:]]))": (
            "The right points, packed as two pairs. Return four tensors side by side: support_x, "
            "support_y, query_x, query_y."
        ),
    },
    "relabel": {
        "(relabel(names, support, query)[0], query)": (
            "The support items are translated, and the query items still have their global "
            "names. Both get the numbers of this episode."
        ),
        "(torch.searchsorted(names, support), torch.searchsorted(names, query))": (
            "`searchsorted` expects sorted names, and these come reshuffled: what it finds is no "
            "place in `names`."
        ),
    },
    "floor": {
        "curves.var()": (
            "You took the spread around one number, {got:.3f}. The best function may have "
            "another value at each place: the mean there."
        ),
        ("curves.mean(0).var()", "curves.mean(0).var(unbiased=False)"): (
            "This says how much the best curve itself goes up and down. Asked for is how far the "
            "tasks are from it: {wanted:.3f}."
        ),
    },
}
