"""More mistakes that readers of chapter 00 make: rows for the tables of exercises.py."""


def by_class_means(support_x, support_y, query_x):
    c = [support_x[support_y == n].flatten(1).mean(0) for n in range(int(support_y.max()) + 1)]
    return sum(
        n * ((query_x.flatten(1)[:, None] - stacked(c)).square().sum(2).argmin(1) == n)
        for n in range(len(c))
    )


def stacked(rows):
    return rows[0].new_tensor([row.tolist() for row in rows])


def least_overlap(support_x, support_y, query_x):
    return support_y[(query_x.flatten(1) @ support_x.flatten(1).T).argmin(1)]


def smallest_distance(support_x, support_y, query_x):
    return (query_x.flatten(1)[:, None] - support_x.flatten(1)).square().sum(2).min(1).values


MORE = {
    "nearest": {
        smallest_distance: (
            "You return how far the nearest drawing is. Its place is `argmin`, and its class is "
            "`support_y` at that place."
        ),
        by_class_means: (
            "You compare with the mean drawing of each class. Asked for is the nearest single "
            "example; chapter 07 is about means."
        ),
        least_overlap: (
            "A product is large where ink lies on ink, so its *smallest* value is the worst "
            "match. Use a distance, and its smallest value."
        ),
    },
    "interval": {
        "(hits.float().mean(1).mean(), hits.float().mean(1).std())": (
            "Your second number is the spread of single episodes. The mean of n episodes is "
            "known better, by √n; then 1.96 of these make the half-width."
        ),
    },
}
